//! stub

use super::Object;
use bytes::Bytes;

/// stub
#[derive(Debug, Default)]
pub struct Origin {}

impl Origin {
    /// stub
    pub fn playlist(&self) -> Option<Bytes> { None }
    /// stub
    pub fn object(&self, _name: &str) -> Option<Object> { None }
}
