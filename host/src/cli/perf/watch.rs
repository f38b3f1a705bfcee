//! The flags by which a run can be watched while it goes on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use super::otlp::OtlpArgs;
use super::to_config::headers;
use crate::config::{Problem, WatchConfig};

/// What a run shows of itself before it is over.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "While it runs")]
pub(super) struct WatchArgs {
    /// Show the run on the whole terminal: charts over time, requests in flight, errors, the client. q
    /// leaves the view, and the run goes on
    #[arg(long)]
    live: bool,
    /// Serve the run on a web page of this machine: at a port, or at ADDRESS:PORT for others to see;
    /// 0 for any port that is free. Metrics for Prometheus are under /metrics
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "8790", value_parser = address)]
    dashboard: Option<SocketAddr>,
    /// Serve the run's metrics for Prometheus under /metrics, likewise
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "8791", value_parser = address)]
    prometheus: Option<SocketAddr>,
    /// Ask the server's own metrics for Prometheus at this URL during the run, for
    /// server_metrics.parquet
    #[arg(long, value_name = "URL")]
    server_metrics: Option<String>,
    /// How often they are asked for, in seconds
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 1.0)]
    server_metrics_interval: f64,
    /// Headers for these requests
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    server_metrics_headers: Vec<String>,
    /// Write the progress to this file, as JSON lines for programs
    #[arg(long, value_name = "FILE")]
    progress_file: Option<PathBuf>,
    /// How often a line is written to --progress-file, in seconds
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 1.0)]
    progress_interval: f64,
    #[command(flatten)]
    otlp: OtlpArgs,
}

impl WatchArgs {
    pub(super) fn config(&self, problems: &mut Vec<Problem>) -> WatchConfig {
        WatchConfig {
            live: self.live,
            dashboard: self.dashboard,
            prometheus: self.prometheus,
            server_metrics: self.server_metrics.clone(),
            server_metrics_interval_s: self.server_metrics_interval,
            server_metrics_headers: headers(
                "--server-metrics-headers",
                &self.server_metrics_headers,
                None,
                problems,
            ),
            otlp: self.otlp.config(|name| std::env::var(name).ok(), problems),
            progress_file: self.progress_file.clone(),
            progress_interval_s: self.progress_interval,
        }
    }
}

/// `PORT` on this machine alone, or `ADDRESS:PORT`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let on_loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let port = text.parse().map(on_loopback);
    port.or_else(|_| text.parse())
        .map_err(|_| "give a port, or ADDRESS:PORT such as 0.0.0.0:8790".to_string())
}
