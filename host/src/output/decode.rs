//! Rows → records: makes records of Arrow batches again.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray,
};

use super::schema::COLUMNS;
use crate::contract::{Failure, FailureKind};
use crate::record::{CachedSource, RequestKey, RequestRecord, TokenCounts, TokenFrame, TokenSource};
use crate::units::Nanos;

/// The records of a batch of [`schema`](super::schema::schema). Every field is as it was, but for
/// [`TokenFrame::answer`], of which only the first is stored: all frames from it on get it. Fields
/// whose columns are `left_out` are empty; ids, frames, intervals, texts and labels may be.
/// Fails if a column is missing, is of another type, or holds what no record does; it says which.
pub(super) fn records_from(batch: &RecordBatch, left_out: &[&str]) -> Result<Vec<RequestRecord>, String> {
    let read = |name| !left_out.contains(&name);
    let text = |name| column::<StringArray>(batch, name);
    let flag = |name| column::<BooleanArray>(batch, name);
    let int32 = |name| column::<Int32Array>(batch, name);
    let int64 = |name| column::<Int64Array>(batch, name);
    let double = |name| column::<Float64Array>(batch, name);
    let mut run_id = Shared::new(batch, "run_id")?;
    let mut stage = Shared::new(batch, "stage")?;
    let mut api = Shared::new(batch, "api")?;
    let mut dataset = Shared::new(batch, "dataset")?;
    let mut model = Shared::new(batch, "model")?;
    let text_if_read = |name| read(name).then(|| text(name)).transpose();
    let (request_id, conversation_id) = (text_if_read("request_id")?, text_if_read("conversation_id")?);
    let (attempt, turn) = (int32("attempt")?, int32("turn")?);
    let conversation_turns = int32("conversation_turns")?;
    let (input_turns, worker) = (int32("input_turns")?, int32("worker")?);
    let (warmup, ok) = (flag("warmup")?, flag("ok")?);
    let (due, sent) = (int64("due_ns")?, int64("sent_ns")?);
    let (first_byte, first_token) = (int64("first_byte_ns")?, int64("first_token_ns")?);
    let (first_answer, last_token) = (int64("first_answer_ns")?, int64("last_token_ns")?);
    let (completed, closed) = (int64("completed_ns")?, int64("closed_ns")?);
    let dispatch_lag_ms = double("dispatch_lag_ms")?;
    let (ttft_ms, latency_ms) = (double("ttft_ms")?, double("latency_ms")?);
    let (tpot_ms, time_per_token_ms) = (double("tpot_ms")?, double("time_per_token_ms")?);
    let itl_ms = read("itl_ms").then(|| Lists::<Float64Array>::new(batch, "itl_ms")).transpose()?;
    let frames_of = match read("frame_ns") {
        true => Some((Lists::new(batch, "frame_ns")?, Lists::new(batch, "frame_tokens")?)),
        false => None,
    };
    let lists_if_read = |name| read(name).then(|| Lists::<Int64Array>::new(batch, name)).transpose();
    let (bare_choices, bare_events) = (lists_if_read("bare_choice_ns")?, lists_if_read("bare_event_ns")?);
    let (input, output) = (int64("input_tokens")?, int64("output_tokens")?);
    let (reasoning, cached) = (int64("reasoning_tokens")?, int64("cached_tokens")?);
    let cached_source = text("cached_tokens_source")?;
    let (source, frames) = (text("token_source")?, int64("frames")?);
    let (bytes_in, bytes_out) = (int64("bytes_in")?, int64("bytes_out")?);
    let (connection_reused, status) = (flag("connection_reused")?, int32("status")?);
    let stale = int64("stale_connections")?;
    let (error_kind, error) = (text("error_kind")?, text("error")?);
    let finish_reason = text_if_read("finish_reason")?;
    let labels = read("labels").then(|| column::<MapArray>(batch, "labels")).transpose()?;
    let (prompt, output_text) = (text_if_read("prompt")?, text_if_read("output")?);

    let moment = |array: &Int64Array, row| get(array, row).map(Nanos);
    let tokens = |name, array: &Int64Array, row| get(array, row).map(|n| count::<u64>(name, n)).transpose();
    let owned = |array: Option<&StringArray>, row| get(array?, row).map(str::to_string);
    let mut records = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let first_answer = moment(first_answer, row);
        let failure = failure(ok.value(row), get(error_kind, row), get(error, row))?;
        let source = get(source, row).map(|name| {
            TokenSource::from_name(name)
                .ok_or_else(|| format!("the column \"token_source\" holds \"{name}\""))
        });
        let cached_source = get(cached_source, row).map(|name| {
            CachedSource::from_name(name)
                .ok_or_else(|| format!("the column \"cached_tokens_source\" holds \"{name}\""))
        });
        let status = get(status, row).map(|status| count("status", status)).transpose()?;
        records.push(RequestRecord {
            key: RequestKey {
                run_id: run_id.at(row),
                stage: stage.at(row),
                request_id: owned(request_id, row).unwrap_or_default(),
                attempt: count("attempt", attempt.value(row))?,
                conversation_id: owned(conversation_id, row).unwrap_or_default(),
                turn: count("turn", turn.value(row))?,
                conversation_turns: count("conversation_turns", conversation_turns.value(row))?,
                input_turns: count("input_turns", input_turns.value(row))?,
                api: api.at(row),
                dataset: dataset.at(row),
                model: model.at(row),
                warmup: warmup.value(row),
            },
            worker: count("worker", worker.value(row))?,
            due: Nanos(due.value(row)),
            sent: moment(sent, row),
            first_byte: moment(first_byte, row),
            first_token: moment(first_token, row),
            first_answer,
            last_token: moment(last_token, row),
            completed: Nanos(completed.value(row)),
            closed: Nanos(closed.value(row)),
            dispatch_lag_ms: get(dispatch_lag_ms, row),
            ttft_ms: get(ttft_ms, row),
            latency_ms: get(latency_ms, row),
            tpot_ms: get(tpot_ms, row),
            time_per_token_ms: get(time_per_token_ms, row),
            itl_ms: intervals(itl_ms.as_ref(), row),
            token_frames: match &frames_of {
                Some((times, tokens)) => token_frames(times, tokens, first_answer, row)?,
                None => Vec::new(),
            },
            bare_choices: moments(bare_choices.as_ref(), row),
            bare_events: moments(bare_events.as_ref(), row),
            tokens: TokenCounts {
                input: tokens("input_tokens", input, row)?,
                output: tokens("output_tokens", output, row)?,
                reasoning: tokens("reasoning_tokens", reasoning, row)?,
                cached: tokens("cached_tokens", cached, row)?,
                cached_source: cached_source.transpose()?,
                source: source.transpose()?,
            },
            frames: count("frames", frames.value(row))?,
            bytes_in: count("bytes_in", bytes_in.value(row))?,
            bytes_out: count("bytes_out", bytes_out.value(row))?,
            connection_reused: get(connection_reused, row),
            stale_connections: count("stale_connections", stale.value(row))?,
            status,
            failure,
            finish_reason: owned(finish_reason, row),
            labels: labels.map_or(Ok(Vec::new()), |labels| labels_at(labels, row))?,
            prompt: owned(prompt, row),
            output: owned(output_text, row),
        });
    }
    Ok(records)
}

fn failure(ok: bool, kind: Option<&str>, message: Option<&str>) -> Result<Option<Failure>, String> {
    match (ok, kind) {
        (true, None) => Ok(None),
        (false, Some(kind)) => match FailureKind::from_name(kind) {
            Some(kind) => Ok(Some(Failure::new(kind, message.unwrap_or_default()))),
            None => Err(format!("the column \"error_kind\" holds \"{kind}\"")),
        },
        _ => Err("the columns \"ok\" and \"error_kind\" contradict each other".to_string()),
    }
}

/// A column of lists, with elements of the type that it should have.
pub(super) struct Lists<'a, A> {
    lists: &'a ListArray,
    pub(super) values: &'a A,
}

impl<'a, A: Array + 'static> Lists<'a, A> {
    /// The column `name`. Fails if it is missing or of another type.
    pub(super) fn new(batch: &'a RecordBatch, name: &str) -> Result<Lists<'a, A>, String> {
        let lists = column::<ListArray>(batch, name)?;
        let values = lists.values();
        match values.as_any().downcast_ref() {
            Some(values) => Ok(Lists { lists, values }),
            None => Err(format!("the column \"{name}\" is a list of {}", values.data_type())),
        }
    }

    /// Where the list of a row is among the values; `None` if it is null.
    pub(super) fn at(&self, row: usize) -> Option<Range<usize>> {
        let offsets = self.lists.value_offsets();
        (!self.lists.is_null(row)).then(|| offsets[row] as usize..offsets[row + 1] as usize)
    }
}

fn moments(lists: Option<&Lists<'_, Int64Array>>, row: usize) -> Vec<Nanos> {
    let moments = lists.and_then(|lists| Some(&lists.values.values()[lists.at(row)?]));
    moments.into_iter().flatten().map(|&at| Nanos(at)).collect()
}

fn intervals(lists: Option<&Lists<'_, Float64Array>>, row: usize) -> Vec<f64> {
    lists.and_then(|lists| Some(lists.values.values()[lists.at(row)?].to_vec())).unwrap_or_default()
}

fn token_frames(
    frame_ns: &Lists<'_, Int64Array>,
    frame_tokens: &Lists<'_, Int32Array>,
    first_answer: Option<Nanos>,
    row: usize,
) -> Result<Vec<TokenFrame>, String> {
    let Some(times) = frame_ns.at(row) else { return Ok(Vec::new()) };
    let tokens = frame_tokens.at(row);
    if tokens.as_ref().is_some_and(|tokens| tokens.len() != times.len()) {
        return Err("the columns \"frame_ns\" and \"frame_tokens\" have different lengths".to_string());
    }
    let answer = |time| first_answer.is_some_and(|first| Nanos(time) >= first);
    let frame = |time: i64, tokens| TokenFrame { at: Nanos(time), tokens, answer: answer(time) };
    let times = frame_ns.values.values()[times].iter().copied();
    let Some(range) = tokens else { return Ok(times.map(|time| frame(time, None)).collect()) };
    let counts = &frame_tokens.values.values()[range.clone()];
    if let Some(&wrong) = counts.iter().find(|&&tokens| tokens < 0) {
        return Err(format!("the column \"frame_tokens\" holds {wrong}"));
    }
    let known = |at| frame_tokens.values.is_valid(range.start + at);
    let counted = times.zip(counts).enumerate();
    Ok(counted.map(|(at, (time, &tokens))| frame(time, known(at).then_some(tokens as u32))).collect())
}

pub(super) fn labels_at(labels: &MapArray, row: usize) -> Result<Vec<(String, String)>, String> {
    let entries = labels.value(row);
    let texts = |at: usize| entries.column(at).as_any().downcast_ref::<StringArray>();
    match (texts(0), texts(1)) {
        (Some(names), Some(values)) => {
            let pairs = names.iter().zip(values).filter_map(|(name, value)| Some((name?, value?)));
            Ok(pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect())
        }
        _ => Err("the column \"labels\" holds no strings".to_string()),
    }
}

/// The column `name`, whose nulls are where they may be.
pub(super) fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, String> {
    let array = batch.column_by_name(name).ok_or_else(|| format!("the column \"{name}\" is missing"))?;
    if array.null_count() > 0 && COLUMNS.iter().any(|column| column.name == name && !column.nullable) {
        return Err(format!("the column \"{name}\" has nulls"));
    }
    let found = array.data_type();
    array.as_any().downcast_ref().ok_or_else(|| format!("the column \"{name}\" is of type {found}"))
}

/// The value of a row; `None` if it is null.
pub(super) fn get<A: ArrayAccessor>(array: A, row: usize) -> Option<A::Item> {
    (!array.is_null(row)).then(|| array.value(row))
}

fn count<T: TryFrom<i64>>(name: &str, value: impl Into<i64>) -> Result<T, String> {
    let value = value.into();
    T::try_from(value).map_err(|_| format!("the column \"{name}\" holds {value}"))
}

/// Strings that are the same for long stretches of rows, each kept once.
struct Shared<'a> {
    column: &'a StringArray,
    last: Arc<str>,
}

impl<'a> Shared<'a> {
    fn new(batch: &'a RecordBatch, name: &str) -> Result<Shared<'a>, String> {
        Ok(Shared { column: column(batch, name)?, last: Arc::from("") })
    }

    fn at(&mut self, row: usize) -> Arc<str> {
        let text = self.column.value(row);
        if *self.last != *text {
            self.last = Arc::from(text);
        }
        self.last.clone()
    }
}
