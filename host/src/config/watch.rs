//! How a run can be watched while it goes on.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::{Header, OtlpConfig, Problem, redact_url};

/// What a run shows of itself before it is over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchConfig {
    /// Whether the whole terminal shows the run.
    pub live: bool,
    /// Where a web page shows it.
    pub dashboard: Option<SocketAddr>,
    /// Where Prometheus finds its metrics, besides the dashboard.
    pub prometheus: Option<SocketAddr>,
    /// Where the server tells its metrics, without what is secret in it.
    #[serde(serialize_with = "serialize_optional_url")]
    pub server_metrics: Option<String>,
    /// How often it is asked for them, in seconds.
    pub server_metrics_interval_s: f64,
    /// Headers for these requests.
    pub server_metrics_headers: Vec<Header>,
    /// The OpenTelemetry collector that hears of it.
    pub otlp: Option<OtlpConfig>,
    /// The file for programs that follow the run.
    pub progress_file: Option<PathBuf>,
    /// How often a line is written to it, in seconds.
    pub progress_interval_s: f64,
}

impl WatchConfig {
    /// What is wrong with it.
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        for (flag, seconds) in [
            ("--progress-interval", self.progress_interval_s),
            ("--server-metrics-interval", self.server_metrics_interval_s),
        ] {
            if !(0.01..=86_400.0).contains(&seconds) {
                problems.push(Problem::new(
                    flag,
                    format!("must be from 0.01 to 86400 seconds, but got {seconds}"),
                ));
            }
        }
        if let Some(url) = &self.server_metrics
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            let message = format!("\"{}\" is not an http:// or https:// URL", redact_url(url));
            problems.push(Problem::new("--server-metrics", message));
        }
        if let Some(otlp) = &self.otlp {
            otlp.problems(problems);
        }
    }
}

fn serialize_optional_url<S: Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_deref().map(redact_url).serialize(serializer)
}
