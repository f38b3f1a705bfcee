//! The collector, as a thread that talks to it: what it does not take, and what the user should know of that.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::super::console::Console;
use super::super::live::Board;
use super::figures::Figures;
use super::spans::Spans;
use super::{OtlpSpec, metrics, spans};
use crate::clock::Clock;

/// The longest that the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that the end of a run waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(3);
/// How often spans are sent.
const SPANS_EVERY: Duration = Duration::from_secs(1);
/// The most bytes of an answer that are looked at.
const MOST_BYTES: usize = 64 << 10;

/// Where the run's signals are sent to from a thread of their own.
pub(super) struct Collector {
    pub(super) spec: OtlpSpec,
    pub(super) clock: Clock,
    pub(super) console: Console,
    pub(super) board: Arc<Board>,
    pub(super) figures: Arc<Figures>,
    pub(super) spans: Arc<Spans>,
    pub(super) resource: Value,
    /// Whether the user was told that something went wrong.
    pub(super) warned: bool,
    /// Data points and spans that the collector took and then refused.
    pub(super) refused: u64,
}

/// Why something could not be sent.
struct Unsent {
    told: String,
    /// Whether it may be sent another time.
    again: bool,
}

impl Collector {
    /// Sends until `stop` is dropped, and then what is left, but not for ever.
    pub(super) fn run(mut self, stop: oneshot::Receiver<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = self.client();
        match (runtime, client) {
            (Ok(runtime), Ok(client)) => runtime.block_on(self.serve(&client, stop)),
            (Err(error), _) => self.warn(&format!("no event loop: {error}")),
            (_, Err(error)) => self.warn(&error),
        }
        if let Some(told) = self.missing() {
            self.console.print(&format!("warning: --otlp: {told}"));
        }
    }

    async fn serve(&mut self, client: &reqwest::Client, mut stop: oneshot::Receiver<()>) {
        let every = self.spec.every;
        let mut ticks = interval(if self.spec.traces.is_some() { every.min(SPANS_EVERY) } else { every });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due = Instant::now() + every;
        let until = loop {
            tokio::select! {
                _ = &mut stop => break Instant::now() + LAST_PATIENCE,
                at = ticks.tick() => {
                    let metrics = at >= due;
                    if metrics {
                        due = at + every;
                    }
                    let mut sending = std::pin::pin!(self.send(client, metrics));
                    tokio::select! {
                        () = &mut sending => {}
                        _ = &mut stop => {
                            let until = Instant::now() + LAST_PATIENCE;
                            // What is under way is not sent twice.
                            let _ = timeout_at(until, sending).await;
                            break until;
                        }
                    }
                }
            }
        };
        let _ = timeout_at(until, self.send(client, true)).await;
    }

    /// Sends the spans that wait, and the metrics if they are due.
    async fn send(&mut self, client: &reqwest::Client, metrics: bool) {
        let scope = json!({"name": "tickrate", "version": env!("CARGO_PKG_VERSION")});
        if metrics {
            let (now, snapshot) = (self.unix_ns(), self.board.snapshot());
            let stages = self.figures.pending();
            let subject = &self.spec.subject;
            if let Some(body) = metrics::request(&self.resource, &scope, subject, &stages, &snapshot, now) {
                match self.post(client, "metrics", &body).await {
                    Ok(()) => self.figures.delivered(&stages),
                    // They are sums: the next ones hold these.
                    Err(unsent) => self.warn(&unsent.told),
                }
            }
        }
        loop {
            let spans = self.spans.next();
            if spans.is_empty() {
                return;
            }
            let body = spans::request(&self.resource, &scope, &spans);
            match self.post(client, "traces", &body).await {
                Ok(()) => self.spans.done_with(spans.len(), false),
                Err(unsent) => {
                    self.warn(&unsent.told);
                    if unsent.again {
                        return;
                    }
                    self.spans.done_with(spans.len(), true);
                }
            }
        }
    }

    async fn post(&mut self, client: &reqwest::Client, signal: &str, body: &Value) -> Result<(), Unsent> {
        let unsent = |error: reqwest::Error| Unsent { told: error.without_url().to_string(), again: true };
        let mut request =
            client.post(address(&self.spec.url, signal)).header("content-type", "application/json");
        for (name, value) in &self.spec.headers {
            request = request.header(name, value);
        }
        let mut reply = request.body(body.to_string()).send().await.map_err(unsent)?;
        let status = reply.status().as_u16();
        if !reply.status().is_success() {
            return Err(Unsent {
                told: format!("HTTP {status}"),
                again: matches!(status, 429 | 502 | 503 | 504),
            });
        }
        let mut answer = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(unsent)? {
            answer.extend_from_slice(&piece);
            if answer.len() > MOST_BYTES {
                break;
            }
        }
        self.refused += refused(&answer);
        Ok(())
    }

    fn client(&self) -> Result<reqwest::Client, String> {
        // An error says that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .timeout(PATIENCE)
            // The headers are for the collector that was named.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tickrate/", env!("CARGO_PKG_VERSION")));
        if !self.spec.url.starts_with("https:") {
            builder = builder.tls_certs_only([]);
        }
        builder.build().map_err(|error| error.without_url().to_string())
    }

    fn unix_ns(&self) -> i64 {
        super::unix_ns(&self.clock, self.clock.now())
    }

    /// Tells the user what went wrong, the first time.
    fn warn(&mut self, told: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            let url = &self.spec.shown_url;
            self.console.print(&format!("warning: --otlp: \"{url}\": {told}; the run goes on without it"));
        }
    }

    /// What the collector will never have; `None` if it has everything.
    fn missing(&self) -> Option<String> {
        let (stages, spans, refused) = (self.figures.lost(), self.spans.lost(), self.refused);
        let parts = [
            (stages > 0).then(|| format!("the last figures of {}", counted(stages as u64, "stage"))),
            (spans > 0).then(|| counted(spans, "span")),
            (refused > 0).then(|| format!("{} that it refused", counted(refused, "item"))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("\"{}\" did not get {}", self.spec.shown_url, parts.join(", ")))
    }
}

/// Where a signal goes: below the collector's address, whether or not that names a signal already.
fn address(url: &str, signal: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let base = url.trim_end_matches('/');
    let base = ["/v1/metrics", "/v1/traces"].iter().find_map(|path| base.strip_suffix(path)).unwrap_or(base);
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    format!("{base}/v1/{signal}{query}")
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How much of what it was sent the collector says that it did not take.
fn refused(answer: &[u8]) -> u64 {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return 0 };
    let count = |name: &str| match &answer["partialSuccess"][name] {
        Value::String(text) => text.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    count("rejectedDataPoints") + count("rejectedSpans")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_its_path_below_the_address() {
        for (url, told) in [
            ("http://c:4318", "http://c:4318/v1/metrics"),
            ("http://c:4318/", "http://c:4318/v1/metrics"),
            ("https://c/otlp/v1/traces", "https://c/otlp/v1/metrics"),
            ("https://c/in?tenant=a", "https://c/in/v1/metrics?tenant=a"),
        ] {
            assert_eq!(address(url, "metrics"), told);
        }
    }

    #[test]
    fn what_a_collector_refuses_is_counted() {
        assert_eq!(refused(b""), 0);
        assert_eq!(refused(b"{}"), 0);
        assert_eq!(refused(br#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"no"}}"#), 3);
        assert_eq!(refused(br#"{"partialSuccess":{"rejectedSpans":2}}"#), 2);
    }
}
