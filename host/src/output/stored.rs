//! Rows → records: reads `requests.parquet` back, so that every figure can be computed again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray,
};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;

use super::OutputError;
use super::journal::{reason, recover_command};
use super::schema::{COLUMNS, END_KEY, JOURNAL_FILE, RECORDS_FILE, RECOVERED_KEY, RUN_KEY, STAGE_KEY};
use crate::contract::{Failure, FailureKind};
use crate::record::{
    RequestKey, RequestRecord, RunHeader, StageEnd, StageHeader, TokenCounts, TokenFrame, TokenSource,
};
use crate::units::Nanos;

/// The most rows that are in memory at a time,
const BATCH_ROWS: usize = 1024;
/// and about the most bytes.
const BATCH_BYTES: i64 = 32 << 20;

/// A stage as it was stored.
#[derive(Debug)]
pub struct StoredStage {
    /// The run that it is of.
    pub run: RunHeader,
    /// The stage; its folder is where the file is now.
    pub stage: StageHeader,
    /// How it ended; `None` where it was cut short.
    pub end: Option<StageEnd>,
    /// Whether the file was made from the journal of a run that was cut short.
    pub recovered: bool,
    /// The number of records.
    pub rows: u64,
    /// The records, in the order that the requests were over. They are read as they are asked for.
    pub records: Records,
}

/// Opens the records of a stage: `path` is its folder, or the `requests.parquet` itself.
/// Fails if there is no such file, or it is not one that this version of tickrate understands.
pub fn read(path: &Path) -> Result<StoredStage, OutputError> {
    let file = if path.is_dir() { path.join(RECORDS_FILE) } else { path.to_path_buf() };
    if !file.exists() {
        let journal = file.with_file_name(JOURNAL_FILE);
        let folder = file.parent().unwrap_or(Path::new("."));
        let advice = if journal.exists() {
            format!("the run was cut short: run {} first", recover_command(folder))
        } else {
            "name the folder of a stage".to_string()
        };
        return Err(OutputError(format!("there is no \"{}\": {advice}", file.display())));
    }
    let told = |error: String| {
        let file = file.display();
        OutputError(format!("could not read \"{file}\": {error}; it is damaged, or not written by tickrate"))
    };
    let opened = File::open(&file).map_err(|error| told(error.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| told(reason(&error)))?;
    let metadata = builder.metadata().clone();
    let need =
        |key| value(&metadata, key).ok_or_else(|| told(format!("\"{key}\" is missing in its metadata")));
    let run = parsed(RUN_KEY, need(RUN_KEY)?).map_err(told)?;
    let mut stage: StageHeader = parsed(STAGE_KEY, need(STAGE_KEY)?).map_err(told)?;
    stage.folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let end = value(&metadata, END_KEY).map(|json| parsed(END_KEY, json)).transpose().map_err(told)?;
    let recovered = value(&metadata, RECOVERED_KEY) == Some("true");
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let reader =
        builder.with_batch_size(batch_rows(&metadata)).build().map_err(|error| told(reason(&error)))?;
    let records = Records { reader, batch: Vec::new().into_iter(), file };
    Ok(StoredStage { run, stage, end, recovered, rows, records })
}

fn value<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

fn parsed<T: serde::de::DeserializeOwned>(key: &str, json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("\"{key}\" in its metadata: {error}"))
}

/// How many rows to read at a time, by the size of a row where rows are largest.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let groups = metadata.row_groups().iter();
    let row = groups.map(|group| group.total_byte_size() / group.num_rows().max(1)).max().unwrap_or(0);
    usize::try_from(BATCH_BYTES / row.max(1)).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS)
}

/// The records of a stage, read as they are asked for. After an error there are no more.
pub struct Records {
    reader: ParquetRecordBatchReader,
    batch: std::vec::IntoIter<RequestRecord>,
    file: PathBuf,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Iterator for Records {
    type Item = Result<RequestRecord, OutputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.batch.next() {
                return Some(Ok(record));
            }
            let batch = self.reader.next()?;
            let records = batch.map_err(|error| OutputError(reason(&error)));
            match records.and_then(|batch| records_from(&batch)) {
                Ok(records) => self.batch = records.into_iter(),
                Err(OutputError(error)) => {
                    while self.reader.next().is_some_and(|batch| batch.is_ok()) {}
                    let file = self.file.display();
                    let told = format!("could not read \"{file}\": {error}; it is damaged, or was changed");
                    return Some(Err(OutputError(told)));
                }
            }
        }
    }
}

/// The records of a batch of [`schema`](super::schema::schema). Every field is as it was, but for
/// [`TokenFrame::answer`], of which only the first is stored: all frames from it on get it.
/// Fails if a column is missing, is of another type, or holds what no record does.
pub fn records_from(batch: &RecordBatch) -> Result<Vec<RequestRecord>, OutputError> {
    decode(batch).map_err(OutputError)
}

/// The column `name`, whose nulls are where they may be.
fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, String> {
    let array = batch.column_by_name(name).ok_or_else(|| format!("the column \"{name}\" is missing"))?;
    if array.null_count() > 0 && COLUMNS.iter().any(|column| column.name == name && !column.nullable) {
        return Err(format!("the column \"{name}\" has nulls"));
    }
    let found = array.data_type();
    array.as_any().downcast_ref().ok_or_else(|| format!("the column \"{name}\" is of type {found}"))
}

fn get<A: ArrayAccessor>(array: A, row: usize) -> Option<A::Item> {
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

fn decode(batch: &RecordBatch) -> Result<Vec<RequestRecord>, String> {
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
    let (request_id, conversation_id) = (text("request_id")?, text("conversation_id")?);
    let (attempt, turn) = (int32("attempt")?, int32("turn")?);
    let (input_turns, worker) = (int32("input_turns")?, int32("worker")?);
    let (warmup, ok) = (flag("warmup")?, flag("ok")?);
    let (due, sent) = (int64("due_ns")?, int64("sent_ns")?);
    let (first_byte, first_token) = (int64("first_byte_ns")?, int64("first_token_ns")?);
    let (first_answer, last_token) = (int64("first_answer_ns")?, int64("last_token_ns")?);
    let (completed, closed) = (int64("completed_ns")?, int64("closed_ns")?);
    let dispatch_lag_ms = double("dispatch_lag_ms")?;
    let (ttft_ms, latency_ms) = (double("ttft_ms")?, double("latency_ms")?);
    let (tpot_ms, time_per_token_ms) = (double("tpot_ms")?, double("time_per_token_ms")?);
    let itl_ms = column::<ListArray>(batch, "itl_ms")?;
    let frame_ns = column::<ListArray>(batch, "frame_ns")?;
    let frame_tokens = column::<ListArray>(batch, "frame_tokens")?;
    let (input, output) = (int64("input_tokens")?, int64("output_tokens")?);
    let (reasoning, cached) = (int64("reasoning_tokens")?, int64("cached_tokens")?);
    let (source, frames) = (text("token_source")?, int64("frames")?);
    let (bytes_in, bytes_out) = (int64("bytes_in")?, int64("bytes_out")?);
    let (connection_reused, status) = (flag("connection_reused")?, int32("status")?);
    let (error_kind, error) = (text("error_kind")?, text("error")?);
    let finish_reason = text("finish_reason")?;
    let labels = column::<MapArray>(batch, "labels")?;
    let (prompt, output_text) = (text("prompt")?, text("output")?);

    let moment = |array: &Int64Array, row| get(array, row).map(Nanos);
    let tokens = |name, array: &Int64Array, row| get(array, row).map(|n| count::<u64>(name, n)).transpose();
    let owned = |array: &StringArray, row| get(array, row).map(str::to_string);
    let mut records = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let first_answer = moment(first_answer, row);
        let failure = failure(ok.value(row), get(error_kind, row), get(error, row))?;
        let source = get(source, row).map(|name| {
            TokenSource::from_name(name)
                .ok_or_else(|| format!("the column \"token_source\" holds \"{name}\""))
        });
        let status = get(status, row).map(|status| count("status", status)).transpose()?;
        records.push(RequestRecord {
            key: RequestKey {
                run_id: run_id.at(row),
                stage: stage.at(row),
                request_id: request_id.value(row).to_string(),
                attempt: count("attempt", attempt.value(row))?,
                conversation_id: conversation_id.value(row).to_string(),
                turn: count("turn", turn.value(row))?,
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
            itl_ms: list::<Float64Array>("itl_ms", itl_ms, row)?
                .map_or_else(Vec::new, |itl| itl.values().to_vec()),
            token_frames: token_frames(frame_ns, frame_tokens, first_answer, row)?,
            tokens: TokenCounts {
                input: tokens("input_tokens", input, row)?,
                output: tokens("output_tokens", output, row)?,
                reasoning: tokens("reasoning_tokens", reasoning, row)?,
                cached: tokens("cached_tokens", cached, row)?,
                source: source.transpose()?,
            },
            frames: count("frames", frames.value(row))?,
            bytes_in: count("bytes_in", bytes_in.value(row))?,
            bytes_out: count("bytes_out", bytes_out.value(row))?,
            connection_reused: get(connection_reused, row),
            status,
            failure,
            finish_reason: owned(finish_reason, row),
            labels: labels_at(labels, row)?,
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

/// One list, with elements of the type that the column should have.
fn list<A: Array + Clone + 'static>(name: &str, lists: &ListArray, row: usize) -> Result<Option<A>, String> {
    let Some(list) = get(lists, row) else { return Ok(None) };
    match list.as_any().downcast_ref::<A>() {
        Some(values) => Ok(Some(values.clone())),
        None => Err(format!("the column \"{name}\" is a list of {}", list.data_type())),
    }
}

fn token_frames(
    frame_ns: &ListArray,
    frame_tokens: &ListArray,
    first_answer: Option<Nanos>,
    row: usize,
) -> Result<Vec<TokenFrame>, String> {
    let Some(times) = list::<Int64Array>("frame_ns", frame_ns, row)? else { return Ok(Vec::new()) };
    let tokens = list::<Int32Array>("frame_tokens", frame_tokens, row)?;
    if tokens.as_ref().is_some_and(|tokens| tokens.len() != times.len()) {
        return Err("the columns \"frame_ns\" and \"frame_tokens\" have different lengths".to_string());
    }
    let frame = |(at, &time): (usize, &i64)| {
        let tokens = tokens.as_ref().and_then(|tokens| get(tokens, at));
        let tokens = tokens.map(|tokens| count("frame_tokens", tokens)).transpose()?;
        let answer = first_answer.is_some_and(|first| Nanos(time) >= first);
        Ok(TokenFrame { at: Nanos(time), tokens, answer })
    };
    times.values().iter().enumerate().map(frame).collect()
}

fn labels_at(labels: &MapArray, row: usize) -> Result<Vec<(String, String)>, String> {
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
