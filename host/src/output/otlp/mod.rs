//! `--otlp`: the run's metrics, and with `--otlp-traces` its requests, to an OpenTelemetry collector: OTLP over
//! HTTP, as JSON. What the outputs' thread does for it is counting; a thread of its own talks to the
//! collector, and one that is slow or away costs the run nothing.

mod collector;
mod figures;
mod metrics;
mod spans;
mod subject;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::collector::Collector;
use self::figures::{Figures, StageFigures};
use self::spans::Spans;
pub use self::subject::Subject;
use self::subject::text;
use super::console::Console;
use super::live::Board;
use super::{Output, OutputError};
use crate::clock::Clock;
use crate::record::{Event, RunHeader};
use crate::units::Nanos;

/// Where the collector is, and what it is told.
#[derive(Clone)]
pub struct OtlpSpec {
    /// Its address, which the paths of the signals are added to.
    pub url: String,
    /// Its address as it may be shown.
    pub shown_url: String,
    /// Headers for each request.
    pub headers: Vec<(String, String)>,
    /// How often the metrics are sent.
    pub every: Duration,
    /// The share of the conversations whose requests are sent as spans; `None` for no spans.
    pub traces: Option<f64>,
    /// What the run is about.
    pub subject: Subject,
}

/// Counts what happens, and has it sent from the start of the run until its end.
pub struct Otlp {
    spec: OtlpSpec,
    clock: Clock,
    console: Console,
    board: Arc<Board>,
    figures: Arc<Figures>,
    spans: Arc<Spans>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Otlp {
    /// An output that knows the moment from `board` and warns on `console`.
    pub fn new(spec: OtlpSpec, clock: Clock, board: Arc<Board>, console: Console) -> Otlp {
        let spans = Arc::new(Spans::new(spec.traces.unwrap_or(0.0)));
        Otlp { spec, clock, console, board, figures: Arc::default(), spans, running: None }
    }

    fn start(&mut self, run: &RunHeader) -> Result<(), OutputError> {
        let (stop, stopped) = oneshot::channel();
        let collector = Collector {
            spec: self.spec.clone(),
            clock: self.clock,
            console: self.console.clone(),
            board: self.board.clone(),
            figures: self.figures.clone(),
            spans: self.spans.clone(),
            resource: resource(run, &self.spec.subject.model),
            warned: false,
            refused: 0,
        };
        let thread = std::thread::Builder::new().name("otlp".into()).spawn(move || collector.run(stopped));
        let thread = thread.map_err(|error| OutputError(format!("no thread for --otlp: {error}")))?;
        self.running = Some((stop, thread));
        Ok(())
    }
}

impl Output for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        let now = || unix_ns(&self.clock, self.clock.now());
        match event {
            Event::RunStarted(run) => self.start(run)?,
            Event::StageStarted(stage) => {
                self.figures.begin(StageFigures::new(&stage.name, stage.index, now()));
            }
            Event::RequestSettled(record) if !record.key.warmup => {
                self.figures.push(record);
                if self.spec.traces.is_some() {
                    self.spans.push(record, &self.spec.subject, unix_ns(&self.clock, Nanos::ZERO));
                }
            }
            Event::StageFinished(..) => self.figures.end(now()),
            Event::RunFinished => {
                if let Some((stop, thread)) = self.running.take() {
                    drop(stop);
                    let _ = thread.join();
                }
            }
            Event::RequestSettled(_) | Event::ReplyKept(_) | Event::Warned(_) => {}
        }
        Ok(())
    }
}

/// A moment of the run on the wall clock, in nanoseconds since 1970.
fn unix_ns(clock: &Clock, at: Nanos) -> i64 {
    clock.started_at().timestamp_nanos_opt().unwrap_or(0) + at.0
}

/// Who tells all this.
fn resource(run: &RunHeader, model: &str) -> Value {
    json!({"attributes": [
        text("service.name", "tickrate"),
        text("service.version", &run.tickrate_version),
        text("service.instance.id", &run.run_id),
        text("tickrate.run_id", &run.run_id),
        text("gen_ai.request.model", model),
    ]})
}
