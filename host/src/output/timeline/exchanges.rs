//! Batches of records → what a timeline wants to know of each. The columns are read as they are: to make
//! whole records of them would take longer than all the rest.

use arrow::array::{Array, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch};

use super::super::decode::{Lists, column, get};
use crate::units::Nanos;

/// The columns of [`Requests`].
pub(super) const SPAN_COLUMNS: [&str; 4] = ["warmup", "due_ns", "sent_ns", "closed_ns"];

/// The columns of [`Exchanges`].
pub(super) const EXCHANGE_COLUMNS: [&str; 13] = [
    "warmup",
    "due_ns",
    "sent_ns",
    "first_token_ns",
    "completed_ns",
    "closed_ns",
    "ttft_ms",
    "latency_ms",
    "tpot_ms",
    "frame_ns",
    "frame_tokens",
    "output_tokens",
    "ok",
];

/// What happened to a measured request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) sent: Option<Nanos>,
    pub(super) first_token: Option<Nanos>,
    pub(super) completed: Nanos,
    pub(super) closed: Nanos,
    pub(super) ok: bool,
    pub(super) ttft_ms: Option<f64>,
    pub(super) latency_ms: Option<f64>,
    pub(super) tpot_ms: Option<f64>,
    pub(super) output_tokens: Option<u64>,
    /// When each frame with output came, in nanoseconds since the run began.
    pub(super) frame_ns: &'a [i64],
    /// How many tokens each frame has brought, where that is known of all of them.
    pub(super) frame_tokens: Option<&'a [i32]>,
}

/// The requests of a batch that were made and when, without what happened within them.
pub(super) struct Requests<'a> {
    warmup: &'a BooleanArray,
    due: &'a Int64Array,
    sent: &'a Int64Array,
    closed: &'a Int64Array,
}

impl<'a> Requests<'a> {
    /// Fails if a column is missing or of another type, and says which.
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Requests<'a>, String> {
        Ok(Requests {
            warmup: column(batch, "warmup")?,
            due: column(batch, "due_ns")?,
            sent: column(batch, "sent_ns")?,
            closed: column(batch, "closed_ns")?,
        })
    }

    /// When each measured request began to exist, which is when it was sent or should have been, and when
    /// it was over.
    pub(super) fn began_and_closed(&self) -> impl Iterator<Item = (Nanos, Nanos)> {
        let measured = (0..self.warmup.len()).filter(|&row| !self.warmup.value(row));
        measured.map(|row| {
            let (due, closed) = (self.due.value(row), self.closed.value(row));
            (Nanos(get(self.sent, row).unwrap_or(due.min(closed))), Nanos(closed))
        })
    }
}

/// The measured requests of a batch.
pub(super) struct Exchanges<'a> {
    requests: Requests<'a>,
    first_token: &'a Int64Array,
    completed: &'a Int64Array,
    ok: &'a BooleanArray,
    ttft_ms: &'a Float64Array,
    latency_ms: &'a Float64Array,
    tpot_ms: &'a Float64Array,
    output_tokens: &'a Int64Array,
    frame_ns: Lists<'a, Int64Array>,
    frame_tokens: Lists<'a, Int32Array>,
}

impl<'a> Exchanges<'a> {
    /// Fails if a column is missing or of another type, and says which.
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Exchanges<'a>, String> {
        Ok(Exchanges {
            requests: Requests::new(batch)?,
            first_token: column(batch, "first_token_ns")?,
            completed: column(batch, "completed_ns")?,
            ok: column(batch, "ok")?,
            ttft_ms: column(batch, "ttft_ms")?,
            latency_ms: column(batch, "latency_ms")?,
            tpot_ms: column(batch, "tpot_ms")?,
            output_tokens: column(batch, "output_tokens")?,
            frame_ns: Lists::new(batch, "frame_ns")?,
            frame_tokens: Lists::new(batch, "frame_tokens")?,
        })
    }

    /// The requests, in their order. One is an error if its columns contradict each other, or hold what no
    /// record does.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<Exchange<'a>, String>> {
        let measured = (0..self.ok.len()).filter(|&row| !self.requests.warmup.value(row));
        measured.map(|row| self.at(row))
    }

    fn at(&self, row: usize) -> Result<Exchange<'a>, String> {
        let output_tokens = get(self.output_tokens, row).map(|tokens| {
            u64::try_from(tokens).map_err(|_| format!("the column \"output_tokens\" holds {tokens}"))
        });
        let (times, tokens) = (self.frame_ns.at(row), self.frame_tokens.at(row));
        let frame_ns = times.map_or(&[][..], |times| &self.frame_ns.values.values()[times]);
        let counts = tokens.clone().map(|tokens| &self.frame_tokens.values.values()[tokens]);
        if counts.is_some_and(|counts| counts.len() != frame_ns.len()) {
            return Err("the columns \"frame_ns\" and \"frame_tokens\" have different lengths".to_string());
        }
        if let Some(&wrong) = counts.and_then(|counts| counts.iter().find(|&&tokens| tokens < 0)) {
            return Err(format!("the column \"frame_tokens\" holds {wrong}"));
        }
        let values = self.frame_tokens.values;
        let all_known =
            values.null_count() == 0 || tokens.is_some_and(|mut at| at.all(|at| values.is_valid(at)));
        Ok(Exchange {
            sent: get(self.requests.sent, row).map(Nanos),
            first_token: get(self.first_token, row).map(Nanos),
            completed: Nanos(self.completed.value(row)),
            closed: Nanos(self.requests.closed.value(row)),
            ok: self.ok.value(row),
            ttft_ms: get(self.ttft_ms, row),
            latency_ms: get(self.latency_ms, row),
            tpot_ms: get(self.tpot_ms, row),
            output_tokens: output_tokens.transpose()?,
            frame_ns,
            frame_tokens: counts.filter(|_| all_known),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::rows::Rows;
    use super::super::super::sample;
    use super::*;

    fn batch(frames: usize) -> RecordBatch {
        let mut rows = Rows::new();
        rows.push(&sample::success(0, frames));
        rows.finish().unwrap()
    }

    /// The batch with another column `name`.
    fn with(batch: &RecordBatch, name: &str, column: arrow::array::ArrayRef) -> RecordBatch {
        let at = batch.schema().index_of(name).unwrap();
        let mut columns = batch.columns().to_vec();
        columns[at] = column;
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    }

    #[test]
    fn a_row_that_contradicts_itself_is_an_error_that_names_the_columns() {
        let error = |batch: &RecordBatch| Exchanges::new(batch).unwrap().iter().next().unwrap().unwrap_err();
        let batch_of_3 = batch(3);
        let tokens_of_4 = batch(4).column_by_name("frame_tokens").unwrap().clone();
        assert_eq!(
            error(&with(&batch_of_3, "frame_tokens", tokens_of_4)),
            "the columns \"frame_ns\" and \"frame_tokens\" have different lengths"
        );
        let negative = std::sync::Arc::new(Int64Array::from(vec![-5]));
        assert_eq!(
            error(&with(&batch_of_3, "output_tokens", negative)),
            "the column \"output_tokens\" holds -5"
        );
    }

    #[test]
    fn a_column_that_is_missing_is_named() {
        let batch = batch(3);
        let closed = batch.schema().index_of("closed_ns").unwrap();
        let kept: Vec<usize> = (0..batch.num_columns()).filter(|&at| at != closed).collect();
        let error = Exchanges::new(&batch.project(&kept).unwrap()).err().unwrap();
        assert_eq!(error, "the column \"closed_ns\" is missing");
    }
}
