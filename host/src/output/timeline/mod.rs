//! `timeline.parquet`: a stage interval by interval, computed from its records alone, so that
//! `tickrate report` makes the same file again.

mod columns;
mod exchanges;
mod intervals;

use std::path::Path;

use serde_json::Value;

pub use columns::TIMELINE_COLUMNS;

use self::columns::cells;
use self::exchanges::{EXCHANGE_COLUMNS, Exchanges, Requests, SPAN_COLUMNS};
use self::intervals::{Intervals, Span};
use super::schema::{STAGE_KEY, has_records};
use super::table_file::TableFile;
use super::{Output, OutputError, stored};
use crate::record::Event;
use crate::units::Nanos;

/// The file of a stage's timeline, in the stage's own folder.
pub const TIMELINE_FILE: &str = "timeline.parquet";
/// Metadata key: the length of an interval, in seconds.
const INTERVAL_KEY: &str = "tickrate.interval_s";
/// The length of an interval where a run does not say, in seconds.
const INTERVAL_S: f64 = 1.0;
/// The most intervals of a stage: a longer one gets longer intervals.
const MOST: i64 = 1_000_000;

/// Writes the timeline of each stage when it is over.
#[derive(Debug, Default)]
pub struct Timeline;

impl Output for Timeline {
    fn name(&self) -> &'static str {
        TIMELINE_FILE
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::StageFinished(stage, _) if has_records(&stage.folder) => write(&stage.folder),
            _ => Ok(()),
        }
    }
}

/// Writes the timeline of the stage in `folder` from the records that are there. It reads them twice:
/// once to learn how long requests take, and once to put them into their intervals. So no more is in
/// memory than what happened within the time of the longest request.
///
/// # Errors
/// If the records cannot be read or the file cannot be written. A stage without measured records has no
/// timeline, and none is written.
pub fn write(folder: &Path) -> Result<(), OutputError> {
    let mut span: Option<Span> = None;
    let mut stored = stored::read_columns(folder, &SPAN_COLUMNS)?;
    while let Some(batch) = stored.batches.next() {
        let batch = batch?;
        let requests = Requests::new(&batch).map_err(|error| stored.batches.wrong(&error))?;
        for (began, closed) in requests.began_and_closed() {
            span = Some(span.unwrap_or_default().with(began, closed));
        }
    }
    let Some(span) = span else { return Ok(()) };
    let mut stored = stored::read_columns(folder, &EXCHANGE_COLUMNS)?;
    let asked = stored.run.config.pointer("/output/timeline_interval_s").and_then(Value::as_f64);
    let length = Nanos::from_s(asked.unwrap_or(INTERVAL_S)).0.max(1);
    let length = Nanos(length * (span.length().0 / length / MOST + 1));
    let stage = serde_json::to_string(&stored.stage).unwrap_or_default();
    let metadata = [(STAGE_KEY, stage), (INTERVAL_KEY, length.as_s().to_string())];
    let mut file = TableFile::create(&folder.join(TIMELINE_FILE), &TIMELINE_COLUMNS, &metadata)?;
    let failed = |error: std::io::Error| {
        OutputError(format!("cannot compute \"{TIMELINE_FILE}\": {error}; free some space"))
    };
    let mut intervals = Intervals::new(folder, &span, length);
    let name = &stored.stage.name;
    while let Some(batch) = stored.batches.next() {
        let batch = batch?;
        let wrong = |error: String| stored.batches.wrong(&error);
        for exchange in Exchanges::new(&batch).map_err(wrong)?.iter() {
            for interval in intervals.push(&exchange.map_err(wrong)?) {
                file.push(cells(name, &interval.finish().map_err(failed)?))?;
            }
        }
    }
    for interval in intervals.finish() {
        file.push(cells(name, &interval.finish().map_err(failed)?))?;
    }
    file.finish()
}
