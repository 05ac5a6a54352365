//! Values that copies of the state share until one of them changes its own: the writer's state and the pages' differ in little.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Deref;
use std::sync::Arc;

/// A value, copied when a shared one is changed.
#[derive(Debug, PartialEq)]
pub(super) struct Shared<Value>(Arc<Value>);

impl<Value: Clone> Shared<Value> {
    pub(super) fn new(value: Value) -> Self {
        Self(Arc::new(value))
    }

    /// The value, this copy's own from now on.
    pub(super) fn change(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.0)
    }
}

impl<Value> Clone for Shared<Value> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Value> Deref for Shared<Value> {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl<Value: Serialize> Serialize for Shared<Value> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, Value: Deserialize<'de>> Deserialize<'de> for Shared<Value> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(Arc::new(value)))
    }
}
