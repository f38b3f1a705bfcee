//! Where a run's metrics and spans go, for collectors of OpenTelemetry.

use std::collections::HashSet;

use serde::Serialize;

use super::{Header, Problem, redact_url, secret};

/// How a run is told to an OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtlpConfig {
    /// The collector's address, without what is secret in it. The paths of the signals are added to it.
    #[serde(serialize_with = "secret::serialize_url")]
    pub url: String,
    /// Headers for its requests, all of them secrets.
    pub headers: Vec<Header>,
    /// How often the metrics are sent, in seconds.
    pub interval_s: f64,
    /// The share of the requests that a span is sent for, from 0 to 1; `None` if no spans are.
    pub traces: Option<f64>,
}

impl OtlpConfig {
    /// What is wrong with it.
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        let mut wrong = |flag, message| problems.push(Problem::new(flag, message));
        let rest = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        if rest.is_none_or(str::is_empty) {
            wrong("--otlp", format!("\"{}\" is not an http:// or https:// URL", redact_url(&self.url)));
        }
        if !(0.1..=86_400.0).contains(&self.interval_s) {
            let seconds = self.interval_s;
            wrong("--otlp-interval", format!("must be from 0.1 to 86400 seconds, but got {seconds}"));
        }
        if let Some(share) = self.traces
            && !(share > 0.0 && share <= 1.0)
        {
            wrong("--otlp-traces", format!("must be more than 0 and at most 1, but got {share}"));
        }
        let mut seen = HashSet::new();
        for header in &self.headers {
            let name = http::HeaderName::from_bytes(header.name().as_bytes());
            if name.is_err() || http::HeaderValue::from_str(header.expose()).is_err() {
                let message =
                    format!("\"{}\" is not valid HTTP; correct its name or its value", header.name());
                wrong("--otlp-headers", message);
            }
            if !seen.insert(header.name().to_ascii_lowercase()) {
                let message = format!("the header \"{}\" is given twice; keep one", header.name());
                wrong("--otlp-headers", message);
            }
        }
    }
}
