//! The visualizer of a run: started, and found able to work, before the run is.

use std::path::PathBuf;
use std::time::Duration;

use super::exit::AppError;
use crate::config::Config;
use crate::output::visualizer::{Visualizer, VisualizerSpec};

/// Starts the visualizer that the configuration asks for, if it asks for one.
pub(super) fn start(config: &Config) -> Result<Option<Visualizer>, AppError> {
    let Some(visualizer) = &config.output.visualizer else { return Ok(None) };
    let spec = VisualizerSpec {
        kind: visualizer.kind.name(),
        python: visualizer.python.clone().unwrap_or_else(python),
        patience: Duration::from_secs(visualizer.timeout_s.into()),
        environment: visualizer.environment.clone(),
        secrets: config.secrets(),
    };
    Visualizer::start(&spec).map(Some).map_err(|problem| AppError::usage(format!("--visualizer: {problem}")))
}

/// The Python beside this binary, as in an environment that the wheel was installed into; else the first one
/// on the path.
fn python() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|binary| binary.with_file_name("python3"));
    beside.filter(|python| python.exists()).unwrap_or_else(|| PathBuf::from("python3"))
}
