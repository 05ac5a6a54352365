//! stub

use super::origin::Origin;
use super::{Health, ProgramId, Settings, SourceId};
use std::sync::Arc;

/// Another connection is sending for this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("already live from another encoder")]
pub struct Busy;

/// stub
#[derive(Debug)]
pub struct Feed {}

#[derive(Debug)]
pub(super) struct Switcher {}

impl Switcher {
    pub(super) fn new(_settings: Settings) -> Self { Self {} }
    pub(super) fn cut(&self, _program: ProgramId, _source: Option<SourceId>) {}
    pub(super) fn on_program(&self, _program: ProgramId) -> Option<SourceId> { None }
    pub(super) fn end(&self, _program: ProgramId) {}
    pub(super) fn forget(&self, _program: ProgramId) {}
    pub(super) fn disconnect(&self, _source: SourceId, _reason: &str) {}
    pub(super) fn health(&self, _source: SourceId) -> Option<Health> { None }
    pub(super) fn origin(&self, _program: ProgramId) -> Option<Arc<Origin>> { None }
    pub(super) fn attach(&self, _source: SourceId) -> Result<Feed, Busy> { Err(Busy) }
}
