//! Reads `requests.parquet` back, so that every figure can be computed again.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::OutputError;
use super::ahead::Ahead;
use super::decode::records_from;
use super::journal::{reason, recover_command};
use super::schema::{END_KEY, JOURNAL_FILE, RECORDS_FILE, RECOVERED_KEY, RUN_KEY, STAGE_KEY};
use crate::panics::contain;
use crate::record::{RequestRecord, RunHeader, StageEnd, StageHeader};

/// The most rows that are read at a time,
const BATCH_ROWS: usize = 512;
/// and about the most bytes. Up to four times as much is in memory.
const BATCH_BYTES: i64 = 8 << 20;

/// The column that tells which records are of one conversation.
const REQUEST_ID: &str = "request_id";

/// Columns that no figure of a stage depends on, but the first where there are conversations.
const NOT_IN_FIGURES: [&str; 10] = [
    REQUEST_ID,
    "bare_choice_ns",
    "bare_event_ns",
    "conversation_id",
    "frame_ns",
    "frame_tokens",
    "finish_reason",
    "labels",
    "prompt",
    "output",
];

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
    open(path, &[])
}

/// Does the same as [`read`], in less time, for those who only want the figures of the stage: of
/// the records' ids, frames, labels and texts, and why the server stopped, nothing is read. The ids
/// are, where there are conversations to put together.
pub fn read_figures(path: &Path) -> Result<StoredStage, OutputError> {
    open(path, &NOT_IN_FIGURES)
}

/// Some columns of the records of a stage.
pub(super) struct StoredColumns {
    /// The run that it is of.
    pub(super) run: RunHeader,
    /// The stage; its folder is where the file is now.
    pub(super) stage: StageHeader,
    /// The rows, in the order that the requests were over. They are read as they are asked for.
    pub(super) batches: Ahead<RecordBatch>,
}

/// Opens no more than `columns` of the records of a stage; `path` is as for [`read`]. A column that the
/// file has not is missing in the batches.
pub(super) fn read_columns(path: &Path, columns: &[&str]) -> Result<StoredColumns, OutputError> {
    let opened = Opened::new(path)?;
    let (reader, file) = (opened.reader(|name| columns.contains(&name))?, &opened.file);
    let batches = Ahead::new(reader, file, Ok);
    Ok(StoredColumns { run: opened.run, stage: opened.stage, batches })
}

/// The rows of a stage as they are in its file.
pub(super) struct Batches {
    /// What the file says of itself, under the names of [`schema`](super::schema).
    pub(super) metadata: Vec<(String, String)>,
    reader: ParquetRecordBatchReader,
    file: PathBuf,
}

/// Opens the rows of the stage in `folder`. Fails if there are none that can be read.
pub(super) fn rows(folder: &Path) -> Result<Batches, OutputError> {
    let file = folder.join(RECORDS_FILE);
    let told = |error: String| OutputError(format!("could not read \"{}\": {error}", file.display()));
    let opened = File::open(&file).map_err(|error| told(error.to_string()))?;
    let builder = contain(|| ParquetRecordBatchReaderBuilder::try_new(opened)).map_err(told)?;
    let builder = builder.map_err(|error| told(reason(&error)))?;
    let metadata = builder.metadata().clone();
    let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let ours = pairs.filter(|pair| pair.key.starts_with("tickrate."));
    let pairs = ours.filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?))).collect();
    let builder = builder.with_batch_size(batch_rows(&metadata));
    let reader = contain(|| builder.build()).map_err(told)?.map_err(|error| told(reason(&error)))?;
    Ok(Batches { metadata: pairs, reader, file })
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, OutputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match contain(|| self.reader.next()) {
            Ok(batch) => batch?.map_err(|error| reason(&error)),
            Err(damage) => Err(damage),
        };
        Some(batch.map_err(|why| OutputError(format!("could not read \"{}\": {why}", self.file.display()))))
    }
}

/// Whether a file holds conversations of several turns.
fn has_several_turns(metadata: &ParquetMetaData) -> bool {
    let schema = metadata.file_metadata().schema_descr();
    let Some(at) = schema.columns().iter().position(|column| column.name() == "conversation_turns") else {
        return false;
    };
    metadata.row_groups().iter().any(|group| match group.column(at).statistics() {
        Some(Statistics::Int32(turns)) => turns.max_opt().is_none_or(|&most| most > 1),
        _ => true,
    })
}

/// A file of records that was opened, and what it says of itself.
struct Opened {
    file: PathBuf,
    bytes: File,
    metadata: ArrowReaderMetadata,
    run: RunHeader,
    stage: StageHeader,
    end: Option<StageEnd>,
}

impl Opened {
    fn new(path: &Path) -> Result<Opened, OutputError> {
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
        let told = |error: String| damaged(&file, &error);
        let bytes = File::open(&file).map_err(|error| told(error.to_string()))?;
        let load = || ArrowReaderMetadata::load(&bytes, Default::default());
        let metadata = contain(load).map_err(told)?.map_err(|error| told(reason(&error)))?;
        let pairs = metadata.metadata();
        let need =
            |key| value(pairs, key).ok_or_else(|| told(format!("\"{key}\" is missing in its metadata")));
        let run = parsed(RUN_KEY, need(RUN_KEY)?).map_err(told)?;
        let mut stage: StageHeader = parsed(STAGE_KEY, need(STAGE_KEY)?).map_err(told)?;
        stage.folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let end = value(pairs, END_KEY).map(|json| parsed(END_KEY, json)).transpose().map_err(told)?;
        Ok(Opened { file, bytes, metadata, run, stage, end })
    }

    /// A reader of the columns that are `wanted`.
    fn reader(&self, wanted: impl Fn(&str) -> bool) -> Result<ParquetRecordBatchReader, OutputError> {
        let told = |error: &(dyn std::error::Error + 'static)| damaged(&self.file, &reason(error));
        let bytes = self.bytes.try_clone().map_err(|error| told(&error))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, self.metadata.clone());
        let roots = builder.parquet_schema().root_schema().get_fields().iter().enumerate();
        let read = roots.filter(|(_, root)| wanted(root.name())).map(|(at, _)| at);
        let mask = ProjectionMask::roots(builder.parquet_schema(), read);
        let rows = batch_rows(self.metadata.metadata());
        let build = || builder.with_projection(mask).with_batch_size(rows).build();
        contain(build).map_err(|panic| damaged(&self.file, &panic))?.map_err(|error| told(&error))
    }
}

fn damaged(file: &Path, error: &str) -> OutputError {
    let file = file.display();
    OutputError(format!("could not read \"{file}\": {error}; it is damaged, or not written by tickrate"))
}

fn open(path: &Path, left_out: &'static [&'static str]) -> Result<StoredStage, OutputError> {
    let opened = Opened::new(path)?;
    let metadata = opened.metadata.metadata();
    let recovered = value(metadata, RECOVERED_KEY) == Some("true");
    let left_out = match left_out {
        [REQUEST_ID, others @ ..] if opened.stage.conversations || has_several_turns(metadata) => others,
        all => all,
    };
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let reader = opened.reader(|name| !left_out.contains(&name))?;
    let batches = Ahead::new(reader, &opened.file, move |batch| records_from(&batch, left_out));
    let records = Records { batches, batch: Vec::new().into_iter() };
    let Opened { run, stage, end, .. } = opened;
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

/// The records of a stage, read a little ahead of being asked for, on a thread of their own.
/// After an error there are no more.
#[derive(Debug)]
pub struct Records {
    batches: Ahead<Vec<RequestRecord>>,
    batch: std::vec::IntoIter<RequestRecord>,
}

impl Iterator for Records {
    type Item = Result<RequestRecord, OutputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.batch.next() {
                return Some(Ok(record));
            }
            match self.batches.next()? {
                Ok(records) => self.batch = records.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parquet::ParquetOutput;
    use super::super::{Output, sample};
    use super::*;
    use crate::contract::{Failure, FailureKind};
    use crate::metrics::StageAccumulator;
    use crate::record::Event;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn store(folder: &Path, records: &[RequestRecord]) {
        store_as(sample::stage(folder), records);
    }

    fn store_as(stage: StageHeader, records: &[RequestRecord]) {
        let stage = Arc::new(stage);
        let mut output = ParquetOutput::new();
        let settled = records.iter().map(|record| Event::RequestSettled(Box::new(record.clone())));
        let first = [Event::RunStarted(Arc::new(sample::run())), Event::StageStarted(stage.clone())];
        let last = [Event::StageFinished(stage, Box::new(sample::end(1.0)))];
        for event in first.into_iter().chain(settled).chain(last) {
            output.on_event(&event).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What is left out of the reading changes no figure.
        #[test]
        fn the_figures_of_a_file_are_those_of_its_records(
            records in proptest::collection::vec(sample::any_record(), 0..20),
            conversations in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let stage = StageHeader { conversations, ..sample::stage(folder.path()) };
            store_as(stage, &records);
            let stored = read_figures(folder.path()).unwrap();
            let [mut told, mut read] = [(); 2].map(|()| StageAccumulator::new(&stored.stage));
            records.iter().for_each(|record| told.push(record));
            stored.records.for_each(|record| read.push(&record.unwrap()));
            let [told, read] = [told, read].map(|figures| figures.finish(&stored.stage, None).unwrap());
            // Compared as text, in which what is no number equals itself.
            prop_assert_eq!(format!("{told:?}"), format!("{read:?}"));
        }
    }

    #[test]
    fn conversations_of_one_turn_are_told_apart_by_their_requests() {
        let folder = tempfile::tempdir().unwrap();
        let mut records: Vec<_> = (0..6).map(|index| sample::success(index, 3)).collect();
        for record in &mut records[..4] {
            record.failure = Some(Failure::new(FailureKind::Truncated, "cut off"));
        }
        store_as(StageHeader { conversations: true, ..sample::stage(folder.path()) }, &records);
        let stored = read_figures(folder.path()).unwrap();
        let mut figures = StageAccumulator::new(&stored.stage);
        stored.records.for_each(|record| figures.push(&record.unwrap()));
        let counts = figures.finish(&stored.stage, None).unwrap().conversations.unwrap();
        assert_eq!((counts.finished, counts.unfinished), (2, 4));
    }

    #[test]
    fn records_of_several_row_groups_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut records: Vec<_> = (0..60).map(|index| sample::success(index, 3)).collect();
        records.iter_mut().for_each(|record| record.prompt = Some("long ".repeat(200_000)));
        store(folder.path(), &records);
        let file = File::open(folder.path().join(RECORDS_FILE)).unwrap();
        let metadata = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().clone();
        assert!(metadata.num_row_groups() > 1);
        let read: Vec<_> = read(folder.path()).unwrap().records.map(Result::unwrap).collect();
        assert!(read == records);
    }
}
