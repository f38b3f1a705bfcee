//! Which visualizer shows the run, and with which keys.

use std::path::PathBuf;

use serde::Serialize;

/// A service that shows runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum VisualizerKind {
    /// Weights & Biases.
    Wandb,
    /// SwanLab.
    Swanlab,
    /// ClearML.
    Clearml,
    /// MLflow.
    Mlflow,
}

impl VisualizerKind {
    /// Its name as the flag and the Python module have it.
    pub fn name(self) -> &'static str {
        match self {
            VisualizerKind::Wandb => "wandb",
            VisualizerKind::Swanlab => "swanlab",
            VisualizerKind::Clearml => "clearml",
            VisualizerKind::Mlflow => "mlflow",
        }
    }
}

/// How a run is shown elsewhere.
#[derive(Clone, PartialEq, Serialize)]
pub struct VisualizerConfig {
    /// Where.
    pub kind: VisualizerKind,
    /// The Python that has the package and the SDK; `None` for the one beside the binary, or `python3`.
    pub python: Option<PathBuf>,
    /// How long it may take to start, and to finish after the run, in seconds.
    pub timeout_s: u32,
    /// What is added to its environment: keys and addresses.
    #[serde(skip)]
    pub environment: Vec<(&'static str, String)>,
}

impl VisualizerConfig {
    /// The keys that must not be shown. `local` is no key.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let keys = self.environment.iter().filter(|(name, key)| name.ends_with("_KEY") && key.len() > 5);
        keys.map(|(_, key)| key.clone())
    }
}

impl std::fmt::Debug for VisualizerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VisualizerConfig({})", self.kind.name())
    }
}
