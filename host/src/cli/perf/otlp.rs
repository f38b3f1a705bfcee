//! The flags that tell a run to an OpenTelemetry collector.

use clap::Args;

use super::to_config::headers;
use crate::config::{Header, OtlpConfig, Problem};

/// What `--otlp` has for a value when the address comes from the variables that OpenTelemetry's own tools read.
const FROM_ENVIRONMENT: &str = "env";
/// The variable with the collector's address.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The variable with the headers: `name=value,name=value`, the values percent-encoded.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Where the run's metrics and spans go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "While it runs")]
pub(super) struct OtlpArgs {
    /// Send the run's metrics to an OpenTelemetry collector at this address (OTLP over HTTP, as JSON); without
    /// one, or with env, to that of OTEL_EXPORTER_OTLP_ENDPOINT, with OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = FROM_ENVIRONMENT)]
    otlp: Option<String>,
    /// Headers for the collector, shown nowhere
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    otlp_headers: Vec<String>,
    /// How often the metrics are sent, in seconds
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 5.0)]
    otlp_interval: f64,
    /// Send a span of each request as well, or of this share of them
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "1", allow_negative_numbers = true)]
    otlp_traces: Option<f64>,
}

impl OtlpArgs {
    /// What the flags ask for; `None` if for nothing. `variable` reads an environment variable; it is asked
    /// for none unless the flag says so.
    pub(super) fn config(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<OtlpConfig> {
        let given = headers("--otlp-headers", &self.otlp_headers, None, problems);
        let mut headers: Vec<Header> =
            given.iter().map(|header| Header::secret(header.name(), header.expose())).collect();
        let Some(address) = &self.otlp else {
            let flags =
                [("--otlp-headers", !headers.is_empty()), ("--otlp-traces", self.otlp_traces.is_some())];
            for (flag, _) in flags.into_iter().filter(|(_, given)| *given) {
                problems.push(Problem::new(flag, "needs --otlp, which says where the collector is"));
            }
            return None;
        };
        let mut url = address.clone();
        if address == FROM_ENVIRONMENT {
            let Some(endpoint) = variable(ENDPOINT).filter(|endpoint| !endpoint.trim().is_empty()) else {
                let message = format!("{ENDPOINT} is not set; give the collector's URL");
                problems.push(Problem::new("--otlp", message));
                return None;
            };
            url = endpoint.trim().to_string();
            let Some(more) = pairs(&variable(HEADERS).unwrap_or_default()) else {
                // What is not a pair may be a secret: it is not repeated.
                let message = format!("{HEADERS} is not NAME=VALUE,NAME=VALUE; correct it");
                problems.push(Problem::new("--otlp", message));
                return None;
            };
            // What the command line says wins.
            let more = more
                .into_iter()
                .filter(|(name, _)| !given.iter().any(|header| header.name().eq_ignore_ascii_case(name)));
            headers.extend(more.map(|(name, value)| Header::secret(name, value)));
        }
        Some(OtlpConfig { url, headers, interval_s: self.otlp_interval, traces: self.otlp_traces })
    }
}

/// The pairs of `name=value,name=value`; `None` if it is anything else.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        (!name.is_empty()).then(|| Some((name.to_string(), decoded(value.trim())?)))?
    };
    pairs.map(pair).collect()
}

/// A percent-encoded text as it was before; `None` if it is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let code = (*byte == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(address: Option<&str>, headers: &[&str]) -> OtlpArgs {
        OtlpArgs {
            otlp: address.map(String::from),
            otlp_headers: headers.iter().map(ToString::to_string).collect(),
            otlp_interval: 5.0,
            otlp_traces: None,
        }
    }

    fn shown(config: &OtlpConfig) -> Vec<(&str, &str)> {
        config.headers.iter().map(|header| (header.name(), header.expose())).collect()
    }

    #[test]
    fn the_environment_is_read_only_where_the_flag_says_so() {
        let variables = |name: &str| match name {
            ENDPOINT => Some("http://collector:4318 ".to_string()),
            HEADERS => Some("Api-Key = a%3Db, x-team=t%".to_string()),
            other => panic!("{other} is nobody's business"),
        };
        let mut problems = Vec::new();
        let config = args(Some("env"), &["api-key=mine"]).config(variables, &mut problems).unwrap();
        assert_eq!(config.url, "http://collector:4318");
        assert_eq!(shown(&config), [("api-key", "mine"), ("x-team", "t%")]);
        let config = args(Some("env"), &[]).config(variables, &mut problems).unwrap();
        assert_eq!(shown(&config), [("Api-Key", "a=b"), ("x-team", "t%")]);
        assert!(!format!("{config:?}").contains("a=b"), "{config:?}");
        let untouched = |_: &str| -> Option<String> { panic!("nobody asked for the environment") };
        let config = args(Some("http://c"), &["a=b"]).config(untouched, &mut problems).unwrap();
        assert_eq!((config.url.as_str(), shown(&config)), ("http://c", vec![("a", "b")]));
        assert_eq!(problems, []);
    }

    #[test]
    fn what_is_missing_or_malformed_is_told_without_repeating_it() {
        let mut problems = Vec::new();
        args(Some("env"), &[]).config(|_| None, &mut problems);
        let malformed =
            |name: &str| Some(if name == ENDPOINT { "http://c" } else { "sk-secret" }.to_string());
        args(Some("env"), &[]).config(malformed, &mut problems);
        args(None, &["a=b"]).config(|_| None, &mut problems);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "--otlp: OTEL_EXPORTER_OTLP_ENDPOINT is not set; give the collector's URL",
                "--otlp: OTEL_EXPORTER_OTLP_HEADERS is not NAME=VALUE,NAME=VALUE; correct it",
                "--otlp-headers: needs --otlp, which says where the collector is",
            ]
        );
    }
}
