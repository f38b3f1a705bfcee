//! The flags that show a run in a visualizer.

use std::path::PathBuf;

use clap::Args;

use crate::config::{VisualizerConfig, VisualizerKind};

/// Where the run is shown besides the console.
#[derive(Debug, Clone, Args)]
pub struct VisualizeArgs {
    /// Show the run in wandb, swanlab, clearml or mlflow as well, through its own Python SDK
    #[arg(long, value_enum, hide_possible_values = true, help_heading = "Visualizer")]
    visualizer: Option<VisualizerKind>,
    /// Python that has tickrate's package and the SDK [default: the one beside tickrate, else python3]
    #[arg(long, value_name = "PATH", help_heading = "Visualizer")]
    visualizer_python: Option<PathBuf>,
    /// How long it may take to start, and to finish after the run, in seconds
    #[arg(long, value_name = "S", default_value_t = 120, help_heading = "Visualizer")]
    visualizer_timeout: u32,
    /// Key of wandb, shown nowhere; implies --visualizer wandb [default: as wandb finds it]
    #[arg(long, value_name = "KEY", help_heading = "Visualizer")]
    wandb_api_key: Option<String>,
    /// Key of swanlab, or local for a run on this machine; implies --visualizer swanlab
    #[arg(long, value_name = "KEY", help_heading = "Visualizer")]
    swanlab_api_key: Option<String>,
    /// Address of a swanlab of your own
    #[arg(long, value_name = "URL", help_heading = "Visualizer")]
    swanlab_host: Option<String>,
}

impl VisualizeArgs {
    /// What the flags ask for; `None` if for nothing.
    pub(super) fn config(&self) -> Option<VisualizerConfig> {
        let implied = || match (&self.wandb_api_key, &self.swanlab_api_key) {
            (Some(_), _) => Some(VisualizerKind::Wandb),
            (None, Some(_)) => Some(VisualizerKind::Swanlab),
            (None, None) => None,
        };
        let kind = self.visualizer.or_else(implied)?;
        let given = match kind {
            VisualizerKind::Wandb => vec![("WANDB_API_KEY", &self.wandb_api_key)],
            VisualizerKind::Swanlab => {
                vec![("SWANLAB_API_KEY", &self.swanlab_api_key), ("SWANLAB_HOST", &self.swanlab_host)]
            }
            VisualizerKind::Clearml | VisualizerKind::Mlflow => Vec::new(),
        };
        let environment =
            given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
        Some(VisualizerConfig {
            kind,
            python: self.visualizer_python.clone(),
            timeout_s: self.visualizer_timeout,
            environment,
        })
    }
}
