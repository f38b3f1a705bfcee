//! Records → rows: collects records and makes Arrow batches of them.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::cells::{Builder, Cell};
use super::journal::Table;
use super::schema::{COLUMNS, JOURNAL_FILE, RECORDS_FILE, schema};
use crate::record::RequestRecord;

/// Rows that wait to become a batch.
#[derive(Debug)]
pub struct Rows {
    columns: Vec<Builder>,
    rows: usize,
    bytes: usize,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows::new()
    }
}

impl Rows {
    /// No rows yet.
    pub fn new() -> Rows {
        Rows { columns: COLUMNS.iter().map(|column| Builder::new(column.kind)).collect(), rows: 0, bytes: 0 }
    }

    /// Appends the row of `record`. Integers beyond what their column holds become its largest value.
    pub fn push(&mut self, record: &RequestRecord) {
        // By reference: the cells are not moved once more.
        for (column, cell) in self.columns.iter_mut().zip(&cells(record)) {
            column.push(cell);
        }
        self.rows += 1;
        self.bytes += size_of_row(record);
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Roughly how much memory the waiting rows take, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The waiting rows as a batch of [`schema`]; afterwards none waits.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(schema(), self.columns.iter_mut().map(Builder::finish).collect())
    }
}

impl Table for Rows {
    type Row = RequestRecord;
    const JOURNAL: &'static str = JOURNAL_FILE;
    const FILE: &'static str = RECORDS_FILE;

    fn new() -> Rows {
        Rows::new()
    }

    fn schema() -> SchemaRef {
        schema()
    }

    fn push(&mut self, record: &RequestRecord) {
        self.push(record);
    }

    fn waiting(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.finish()
    }
}

fn size_of_row(record: &RequestRecord) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let labels: usize = record.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    let error = record.failure.as_ref().map_or(0, |failure| failure.message.len());
    512 + 20 * record.token_frames.len()
        + 8 * (record.bare_choices.len() + record.bare_events.len())
        + labels
        + error
        + text(&record.prompt)
        + text(&record.output)
}

/// The values of `record`, in the order of [`COLUMNS`].
fn cells(record: &RequestRecord) -> [Cell<'_>; COLUMNS.len()] {
    let RequestRecord { key, tokens, token_frames, .. } = record;
    let when = |given: bool, cell| if given { cell } else { Cell::Null };
    [
        Cell::Text(&key.run_id),
        Cell::Text(&key.stage),
        Cell::Text(&key.request_id),
        Cell::count(key.attempt.into()),
        Cell::Text(&key.conversation_id),
        Cell::count(key.turn.into()),
        Cell::count(key.conversation_turns.into()),
        Cell::count(key.input_turns.into()),
        Cell::count(record.worker.into()),
        Cell::Text(&key.api),
        Cell::Text(&key.dataset),
        Cell::Text(&key.model),
        Cell::Flag(key.warmup),
        Cell::Int(record.due.0),
        Cell::maybe(record.sent, |at| Cell::Int(at.0)),
        Cell::maybe(record.first_byte, |at| Cell::Int(at.0)),
        Cell::maybe(record.first_token, |at| Cell::Int(at.0)),
        Cell::maybe(record.first_answer, |at| Cell::Int(at.0)),
        Cell::maybe(record.last_token, |at| Cell::Int(at.0)),
        Cell::Int(record.completed.0),
        Cell::Int(record.closed.0),
        Cell::maybe(record.dispatch_lag_ms, Cell::Double),
        Cell::maybe(record.ttft_ms, Cell::Double),
        Cell::maybe(record.latency_ms, Cell::Double),
        Cell::maybe(record.tpot_ms, Cell::Double),
        Cell::maybe(record.time_per_token_ms, Cell::Double),
        when(!token_frames.is_empty() || !record.itl_ms.is_empty(), Cell::Doubles(&record.itl_ms)),
        when(!token_frames.is_empty(), Cell::Times(token_frames)),
        when(token_frames.iter().any(|frame| frame.tokens.is_some()), Cell::Tokens(token_frames)),
        when(!record.bare_choices.is_empty(), Cell::Moments(&record.bare_choices)),
        when(!record.bare_events.is_empty(), Cell::Moments(&record.bare_events)),
        Cell::maybe(tokens.input, Cell::count),
        Cell::maybe(tokens.output, Cell::count),
        Cell::maybe(tokens.reasoning, Cell::count),
        Cell::maybe(tokens.cached, Cell::count),
        Cell::maybe(tokens.cached_source, |source| Cell::Text(source.name())),
        Cell::maybe(tokens.source, |source| Cell::Text(source.name())),
        Cell::count(record.frames.into()),
        Cell::count(record.bytes_in),
        Cell::count(record.bytes_out),
        Cell::maybe(record.connection_reused, Cell::Flag),
        Cell::count(record.stale_connections.into()),
        Cell::maybe(record.status, |status| Cell::Int(status.into())),
        Cell::Flag(record.ok()),
        Cell::maybe(record.failure.as_ref(), |failure| Cell::Text(failure.kind.name())),
        Cell::maybe(record.failure.as_ref(), |failure| Cell::Text(&failure.message)),
        Cell::maybe(record.finish_reason.as_deref(), Cell::Text),
        Cell::Labels(&record.labels),
        Cell::maybe(record.prompt.as_deref(), Cell::Text),
        Cell::maybe(record.output.as_deref(), Cell::Text),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::decode::records_from;
    use super::super::sample;
    use super::*;
    use crate::record::TokenFrame;
    use crate::units::Nanos;
    use arrow::array::Array;

    #[test]
    fn what_was_not_measured_is_null() {
        let mut record = sample::success(0, 3);
        let mut rows = Rows::new();
        record.token_frames.iter_mut().for_each(|frame| frame.tokens = None);
        rows.push(&record);
        record.token_frames[1].tokens = Some(2);
        rows.push(&record);
        record.token_frames.clear();
        record.itl_ms.clear();
        record.sent = None;
        rows.push(&record);
        let batch = rows.finish().unwrap();
        assert!(rows.is_empty() && rows.bytes() == 0);
        let nulls = |name| -> Vec<bool> {
            let column = batch.column_by_name(name).unwrap();
            (0..3).map(|row| column.is_null(row)).collect()
        };
        assert_eq!(nulls("frame_tokens"), [true, false, true]);
        assert_eq!(nulls("itl_ms"), [false, false, true]);
        assert_eq!(nulls("sent_ns"), [false, false, true]);
        assert_eq!(nulls("error_kind"), [true, true, true]);
        assert_eq!(nulls("labels"), [false, false, false]);
    }

    #[test]
    fn labels_are_unique_and_numbers_too_large_for_a_column_do_no_harm() {
        let mut record = sample::success(0, 1);
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        record.labels = vec![pair("a", "1"), pair("b", "2"), pair("a", "3")];
        record.tokens.output = Some(u64::MAX);
        record.token_frames = vec![TokenFrame { at: Nanos(1), tokens: Some(u32::MAX), answer: true }];
        let mut rows = Rows::default();
        rows.push(&record);
        assert_eq!(rows.len(), 1);
        let back = records_from(&rows.finish().unwrap(), &[]).unwrap().remove(0);
        assert_eq!(back.labels, [pair("b", "2"), pair("a", "3")]);
        assert_eq!(back.tokens.output, Some(i64::MAX as u64));
        assert_eq!(back.token_frames[0].tokens, Some(i32::MAX as u32));
    }

    #[test]
    fn a_missing_column_is_named() {
        let mut rows = Rows::new();
        rows.push(&sample::success(0, 1));
        let batch = rows.finish().unwrap();
        let kept: Vec<_> = (0..batch.num_columns()).filter(|&at| COLUMNS[at].name != "due_ns").collect();
        let error = records_from(&batch.project(&kept).unwrap(), &[]).unwrap_err();
        assert_eq!(error, "the column \"due_ns\" is missing");
    }
}
