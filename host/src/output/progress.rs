//! What a user sees while a stage runs.

use std::sync::Arc;

use super::console::Console;
use super::live::{Board, Snapshot, StageProgress};
use super::screen::ProgressLine;
use super::{Output, OutputError};
use crate::record::{Event, RequestRecord};
use crate::units::{decimal, grouped};

/// The progress of each stage, and with `--debug` a line for each request.
#[derive(Debug)]
pub struct Progress {
    console: Console,
    board: Arc<Board>,
    debug: bool,
    log_every: u64,
    settled: u64,
}

impl Progress {
    /// Shows on `console` what stands on `board`; every `log_every` requests (0: never) a line goes to
    /// the log.
    pub fn new(console: Console, board: Arc<Board>, debug: bool, log_every: u64) -> Progress {
        Progress { console, board, debug, log_every, settled: 0 }
    }

    fn note(&mut self, record: &RequestRecord) {
        self.settled += 1;
        if self.debug {
            self.console.print(&line(record));
        }
        if self.log_every > 0
            && self.settled.is_multiple_of(self.log_every)
            && let Some(stage) = self.board.snapshot().stage
        {
            self.console.note(&format!("{} requests settled, {}", self.settled, figures(&stage)));
        }
    }
}

impl Output for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::StageStarted(stage) => {
                self.settled = 0;
                let warmup = match stage.warmup {
                    0 => String::new(),
                    warmup => format!(", {warmup} to warm up"),
                };
                self.console.print(&format!("{}: {} requests{warmup}", stage.name, stage.number));
                let board = self.board.clone();
                self.console.start_progress(Box::new(move || progress_line(&board.snapshot())));
            }
            Event::RequestSettled(record) => self.note(record),
            Event::StageFinished(..) | Event::RunFinished => self.console.end_progress(),
            Event::Warned(text) => self.console.print(&format!("warning: {text}")),
            Event::RunStarted(_) | Event::ReplyKept(_) => {}
        }
        Ok(())
    }
}

/// The stage's progress as one line shows it.
fn progress_line(snapshot: &Snapshot) -> ProgressLine {
    let Some(stage) = &snapshot.stage else {
        return ProgressLine { title: String::new(), done_ratio: 0.0, figures: String::new() };
    };
    let place = snapshot.stages.filter(|&stages| stages > 1);
    let place = place.map(|stages| format!(" ({}/{stages})", stage.index + 1)).unwrap_or_default();
    let made = match stage.settled {
        0 if stage.warmup_settled > 0 => format!("warm-up {}", stage.warmup_settled),
        settled => format!("{}/{}", grouped(settled), grouped(stage.number)),
    };
    let eta = stage.eta_s.map(|s| format!("  ETA {}", seconds(s))).unwrap_or_default();
    ProgressLine {
        title: format!("{}{place} {}", stage.name, seconds(stage.elapsed_s)),
        done_ratio: stage.done_ratio,
        figures: format!("{made}  {}{eta}", figures(stage)),
    }
}

/// The figures so far; what is not known yet is left out.
pub(super) fn figures(stage: &StageProgress) -> String {
    let mut parts = Vec::new();
    if let Some(rps) = stage.request_rps {
        parts.push(format!("{} req/s", decimal(rps, 1)));
    }
    if let Some(tps) = stage.output_tps {
        parts.push(format!("{} tok/s", decimal(tps, 0)));
    }
    for (name, spread) in [("TTFT", stage.ttft_ms), ("TPOT", stage.tpot_ms)] {
        if let Some(spread) = spread {
            parts.push(format!("{name} {} ms", decimal(spread.mean, 1)));
        }
    }
    if let Some(spread) = stage.latency_ms.filter(|_| stage.ttft_ms.is_none()) {
        parts.push(format!("latency {} ms", decimal(spread.mean, 1)));
    }
    parts.push(format!("{} failed", grouped(stage.failed)));
    parts.join("  ")
}

/// A time as people say it: `8 s`, `2:05`, `1:02:05`.
pub(super) fn seconds(s: f64) -> String {
    let whole = s.max(0.0).round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
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

#[cfg(test)]
mod tests {
    use super::super::live::Spread;
    use super::*;

    #[test]
    fn a_line_has_all_that_is_known_and_nothing_that_is_not() {
        let spread = |mean| Some(Spread { count: 3, mean, p50: mean, p90: mean, p99: mean, max: mean });
        let begun =
            StageProgress { name: "parallel_8_number_60".into(), index: 1, number: 60, ..Default::default() };
        let snapshot = |stage| Snapshot { stages: Some(5), stage: Some(stage), ..Snapshot::default() };
        let line = progress_line(&snapshot(begun.clone()));
        assert_eq!(line.title, "parallel_8_number_60 (2/5) 0 s");
        assert_eq!(line.figures, "0/60  0 failed");
        let stage = StageProgress {
            elapsed_s: 65.0,
            done_ratio: 0.75,
            eta_s: Some(21.7),
            settled: 45,
            failed: 2,
            request_rps: Some(0.6923),
            output_tps: Some(1234.5),
            ttft_ms: spread(21.04),
            tpot_ms: spread(5.1),
            latency_ms: spread(900.0),
            ..begun
        };
        let line = progress_line(&snapshot(stage));
        assert_eq!(line.title, "parallel_8_number_60 (2/5) 1:05");
        assert_eq!(line.figures, "45/60  0.7 req/s  1234 tok/s  TTFT 21 ms  TPOT 5.1 ms  2 failed  ETA 22 s");
        assert_eq!(line.done_ratio, 0.75);
    }

    #[test]
    fn times_are_short() {
        assert_eq!([0.4, 59.6, 3725.0].map(seconds), ["0 s", "1:00", "1:02:05"]);
    }
}
