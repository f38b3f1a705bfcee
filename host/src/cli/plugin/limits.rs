//! Flags that bound a plugin outside of a run, and that allow it more.

use std::time::Duration;

use clap::Args;

use crate::app::AppError;
use crate::plugin::{Grant, LimitsSpec};

/// The flags that bound a plugin.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Longest time for one shape or parse, in seconds; open and next may take ten times as long.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub plugin_timeout: f64,

    /// Most memory for one instance, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub plugin_memory: u64,

    /// Let the plugin use dir=PATH, dir=PATH:rw, env=NAME, net=HOST or net=HOST:PORT.
    #[arg(long, value_name = "GRANT", num_args = 1..)]
    pub plugin_allow: Vec<Grant>,
}

impl LimitArgs {
    /// The bounds.
    ///
    /// # Errors
    /// If one of them is none.
    pub fn limits(&self) -> Result<LimitsSpec, AppError> {
        if !(self.plugin_timeout.is_finite() && self.plugin_timeout > 0.0) {
            return Err(AppError::usage(format!(
                "--plugin-timeout is \"{}\"; give a number of seconds above 0",
                self.plugin_timeout
            )));
        }
        let call = Duration::try_from_secs_f64(self.plugin_timeout).unwrap_or(Duration::from_secs(3_600));
        Ok(LimitsSpec {
            memory: usize::try_from(self.plugin_memory.saturating_mul(1 << 20)).unwrap_or(usize::MAX),
            call,
            open: call.saturating_mul(10),
            next: call.saturating_mul(10),
            ..LimitsSpec::default()
        })
    }
}
