//! The flags that make a command fail by what was measured, for CI.

use std::path::PathBuf;

use clap::Args;

use crate::config::{GateConfig, Problem};
use crate::gate::Gate;

/// The variable in which GitHub names the file that a job's summary is added to.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Flags of every command that has figures of stages.
#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// Exit with code 5 if this is true of a stage, such as 'p99_ttft > 500ms' or
    /// 'error_rate of parallel_10 > 1%'. A figure that was not measured fails. docs/ci.md lists the figures
    #[arg(long, value_name = "GATE", num_args = 1.., help_heading = "Gates")]
    fail_if: Vec<String>,
    /// Write stages and gates as a JUnit file
    #[arg(long, value_name = "FILE", help_heading = "Gates")]
    junit: Option<PathBuf>,
    /// Add a page in Markdown to this file [default: the one that GITHUB_STEP_SUMMARY names, if it is set]
    #[arg(long, value_name = "FILE", help_heading = "Gates")]
    step_summary: Option<PathBuf>,
}

impl GateArgs {
    /// The gates that the flags describe; what is wrong with them is added to `problems`.
    pub fn config(&self, problems: &mut Vec<Problem>) -> GateConfig {
        let mut fail_if = Vec::new();
        for text in &self.fail_if {
            match text.parse::<Gate>() {
                Ok(gate) => fail_if.push(gate),
                Err(error) => problems.push(Problem::new("--fail-if", error.to_string())),
            }
        }
        let named = || std::env::var_os(STEP_SUMMARY).filter(|file| !file.is_empty()).map(PathBuf::from);
        let step_summary = self.step_summary.clone().or_else(named);
        GateConfig { fail_if, junit: self.junit.clone(), step_summary }
    }
}
