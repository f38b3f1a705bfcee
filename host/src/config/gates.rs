//! What fails a command though everything was measured, and where that is told.

use std::path::PathBuf;

use serde::Serialize;

use crate::gate::Gate;

/// The gates of a command and the files that their verdicts go into.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct GateConfig {
    /// What must not be true of any stage.
    pub fail_if: Vec<Gate>,
    /// A JUnit file to write.
    pub junit: Option<PathBuf>,
    /// A file in Markdown to add a page to.
    pub step_summary: Option<PathBuf>,
}
