//! What a user sees while a stage runs.

use hdrhistogram::Histogram;

use super::console::Console;
use super::{Output, OutputError};
use crate::record::{Event, RequestRecord};
use crate::units::decimal;

/// The progress of each stage, and with `--debug` a line for each request.
#[derive(Debug)]
pub struct Progress {
    console: Console,
    debug: bool,
    log_every: u64,
    settled: u64,
    failed: u64,
    latency_ms: Option<Histogram<u64>>,
}

impl Progress {
    /// Shows progress on `console`; every `log_every` requests (0: never) a line goes to the log.
    pub fn new(console: Console, debug: bool, log_every: u64) -> Progress {
        Progress { console, debug, log_every, settled: 0, failed: 0, latency_ms: None }
    }

    fn note(&mut self, record: &RequestRecord) {
        self.settled += 1;
        self.failed += u64::from(!record.ok());
        if let (Some(histogram), Some(latency_ms)) = (&mut self.latency_ms, record.latency_ms) {
            histogram.saturating_record((latency_ms.max(0.0) * 1e3) as u64);
        }
        if self.debug {
            self.console.print(&line(record));
        }
        let message = self.message();
        if self.log_every > 0 && self.settled.is_multiple_of(self.log_every) {
            self.console.note(&format!("{} requests settled, {message}", self.settled));
        }
        self.console.advance_progress(message);
    }

    fn message(&self) -> String {
        let median = self.latency_ms.as_ref().filter(|histogram| !histogram.is_empty()).map(|histogram| {
            format!(", median latency {} ms", decimal(histogram.value_at_quantile(0.5) as f64 / 1e3, 1))
        });
        format!("{} failed{}", self.failed, median.unwrap_or_default())
    }
}

impl Output for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::StageStarted(stage) => {
                (self.settled, self.failed) = (0, 0);
                self.latency_ms = Histogram::new_with_bounds(1, 86_400_000_000, 3).ok();
                let warmup = match stage.warmup {
                    0 => String::new(),
                    warmup => format!(", {warmup} to warm up"),
                };
                self.console.print(&format!("{}: {} requests{warmup}", stage.name, stage.number));
                self.console.start_progress(&stage.name, stage.number + stage.warmup);
            }
            Event::RequestSettled(record) => self.note(record),
            Event::StageFinished(..) | Event::RunFinished => self.console.end_progress(),
            Event::Warned(text) => self.console.print(&format!("warning: {text}")),
            Event::RunStarted(_) | Event::ReplyKept(_) => {}
        }
        Ok(())
    }
}

/// One request in one line.
fn line(record: &RequestRecord) -> String {
    let ms =
        |value: Option<f64>| value.map_or_else(|| "—".to_string(), |ms| format!("{} ms", decimal(ms, 2)));
    let ended = match &record.failure {
        None => record.finish_reason.clone().unwrap_or_else(|| "ok".to_string()),
        Some(failure) => format!("{}: {}", failure.kind, failure.message),
    };
    format!(
        "{} status {} ttft {} latency {} tokens {}/{} {ended}",
        record.key.request_id,
        record.status.map_or_else(|| "—".to_string(), |status| status.to_string()),
        ms(record.ttft_ms),
        ms(record.latency_ms),
        record.tokens.input.map_or_else(|| "—".to_string(), |tokens| tokens.to_string()),
        record.tokens.output.map_or_else(|| "—".to_string(), |tokens| tokens.to_string()),
    )
}
