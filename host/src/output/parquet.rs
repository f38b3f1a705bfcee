//! The output that writes `requests.parquet`: rows go to the stage's journal as they come, and the
//! journal becomes the Parquet file when the stage is over.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::encode;
use super::journal::{Journal, JournalReader, Table, reason, recover_command};
use super::rows::Rows;
use super::schema::{END_KEY, RECORDS_FILE, RECOVERED_KEY, RUN_KEY, STAGE_KEY, VERSION_KEY};
use super::{Output, OutputError};
use crate::record::{Event, RunHeader, StageEnd};

/// Writes one `requests.parquet` for each stage, in the stage's folder.
#[derive(Debug, Default)]
pub struct ParquetOutput {
    run: Option<Arc<RunHeader>>,
    stage: Option<Journal<Rows>>,
}

impl ParquetOutput {
    /// An output that learns what to write where from the events.
    pub fn new() -> ParquetOutput {
        ParquetOutput::default()
    }

    /// Turns the open journal into the stage's file. Without an `end` the stage was cut short.
    fn finish(&mut self, end: Option<&StageEnd>) -> Result<(), OutputError> {
        let Some(mut journal) = self.stage.take() else { return Ok(()) };
        journal.close()?;
        convert_records(journal.path(), end).map(|_| ())
    }
}

impl Output for ParquetOutput {
    fn name(&self) -> &'static str {
        RECORDS_FILE
    }

    fn is_essential(&self) -> bool {
        true
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::RunStarted(run) => self.run = Some(run.clone()),
            Event::StageStarted(stage) => {
                self.finish(None)?;
                let run = self.run.as_deref().ok_or_else(|| {
                    OutputError("a stage started before its run: report this as a bug of tickrate".into())
                })?;
                self.stage = Some(Journal::create(run, stage)?);
            }
            Event::RequestSettled(record) => match &self.stage {
                Some(journal) => journal.push(record)?,
                None => {
                    let id = &record.key.request_id;
                    let told = format!(
                        "the record \"{id}\" came outside of a stage: report this as a bug of tickrate"
                    );
                    return Err(OutputError(told));
                }
            },
            Event::StageFinished(_, end) => self.finish(Some(end))?,
            Event::RunFinished => self.finish(None)?,
            Event::ReplyKept(_) | Event::Warned(_) => {}
        }
        Ok(())
    }
}

/// What became of a journal.
#[derive(Debug)]
pub(super) struct Converted {
    /// The Parquet file.
    pub file: PathBuf,
    /// The rows in it.
    pub rows: u64,
    /// Bytes at the journal's end that were no whole batch; they are kept in a file beside it.
    pub torn_bytes: u64,
}

/// Turns the journal of records at `path` into the `requests.parquet` beside it; see [`convert`].
pub(super) fn convert_records(path: &Path, end: Option<&StageEnd>) -> Result<Converted, OutputError> {
    convert::<Rows>(path, end, encode::write)
}

/// What writes all batches of a journal to a file, with this metadata, and says how many rows.
pub(super) type Write = fn(&mut JournalReader, &Path, Vec<KeyValue>) -> Result<u64, ParquetError>;

/// Turns the journal of a `T` at `path` into the file beside it, with bounded memory, and deletes it
/// once that is safe on disk. Without an `end` the file is marked as recovered.
pub(super) fn convert<T: Table>(
    path: &Path,
    end: Option<&StageEnd>,
    write: Write,
) -> Result<Converted, OutputError> {
    let mut journal = JournalReader::open::<T>(path)?;
    let file = path.with_file_name(T::FILE);
    let partial = path.with_file_name(format!("{}.partial", T::FILE));
    let failed = |error: ParquetError| {
        let folder = path.parent().unwrap_or(Path::new("."));
        OutputError(format!(
            "could not write \"{}\": {}; all rows are kept in \"{}\": make room, then run {}",
            partial.display(),
            reason(&error),
            path.display(),
            recover_command(folder)
        ))
    };
    let metadata = metadata(&journal, end).map_err(|error| failed(ParquetError::External(error.into())))?;
    let rows = write(&mut journal, &partial, metadata).map_err(failed)?;
    fs::rename(&partial, &file).map_err(|error| failed(error.into()))?;
    sync_folder_of(&file);
    let torn_bytes = journal.torn_bytes();
    let removed = match torn_bytes {
        0 => fs::remove_file(path),
        _ => fs::rename(path, path.with_extension("journal.torn")),
    };
    removed.map_err(|error| {
        let (file, path) = (file.display(), path.display());
        OutputError(format!(
            "\"{file}\" is complete, but \"{path}\" could not be removed: {error}; delete it"
        ))
    })?;
    Ok(Converted { file, rows, torn_bytes })
}

fn metadata(journal: &JournalReader, end: Option<&StageEnd>) -> Result<Vec<KeyValue>, serde_json::Error> {
    let mut metadata = vec![
        KeyValue::new(RUN_KEY.to_string(), serde_json::to_string(journal.run())?),
        KeyValue::new(STAGE_KEY.to_string(), serde_json::to_string(journal.stage())?),
        KeyValue::new(VERSION_KEY.to_string(), env!("CARGO_PKG_VERSION").to_string()),
    ];
    metadata.push(match end {
        Some(end) => KeyValue::new(END_KEY.to_string(), serde_json::to_string(end)?),
        None => KeyValue::new(RECOVERED_KEY.to_string(), "true".to_string()),
    });
    Ok(metadata)
}

/// Makes a new name in a folder safe against a power cut; where the system cannot, it is not.
fn sync_folder_of(file: &Path) {
    if let Some(Ok(folder)) = file.parent().map(File::open) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::super::recover::{find_records, recover};
    use super::super::sample;
    use super::super::stored::read;
    use super::*;
    use crate::record::{RequestRecord, StageHeader};
    use crate::units::Nanos;
    use proptest::prelude::*;

    fn events(output: &mut ParquetOutput, stage: &StageHeader, records: &[RequestRecord]) {
        output.on_event(&Event::RunStarted(Arc::new(sample::run()))).unwrap();
        output.on_event(&Event::StageStarted(Arc::new(stage.clone()))).unwrap();
        for record in records {
            output.on_event(&Event::RequestSettled(Box::new(record.clone()))).unwrap();
        }
    }

    fn finished(stage: &StageHeader, end: &StageEnd) -> Event {
        Event::StageFinished(Arc::new(stage.clone()), Box::new(end.clone()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What is read back is what was written, so any figure computed from either is the same.
        #[test]
        fn records_survive_a_real_file(
            records in proptest::collection::vec(sample::any_record(), 0..20),
            ms in 0.0..1e6_f64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let stage = sample::stage(&folder.path().join("stage"));
            let end = sample::end(ms);
            let mut output = ParquetOutput::new();
            events(&mut output, &stage, &records);
            output.on_event(&finished(&stage, &end)).unwrap();
            let stored = read(&stage.folder).unwrap();
            prop_assert_eq!(stored.run, sample::run());
            prop_assert_eq!(&stored.stage, &stage);
            prop_assert_eq!(stored.end, Some(end));
            prop_assert!(!stored.recovered);
            prop_assert_eq!(stored.rows, records.len() as u64);
            let mut expected = records;
            for record in &mut expected {
                let first = record.first_answer.unwrap_or(Nanos(i64::MAX));
                record.token_frames.iter_mut().for_each(|frame| frame.answer = frame.at >= first);
            }
            let read: Result<Vec<_>, _> = stored.records.collect();
            prop_assert_eq!(read.unwrap(), expected);
        }
    }

    #[test]
    fn a_finished_stage_leaves_one_file_and_no_journal() {
        let folder = tempfile::tempdir().unwrap();
        let stage = sample::stage(&folder.path().join("m/parallel_2_number_4"));
        let mut output = ParquetOutput::new();
        events(&mut output, &stage, &[sample::success(0, 3)]);
        assert!(stage.folder.join(super::super::schema::JOURNAL_FILE).exists());
        output.on_event(&finished(&stage, &sample::end(1.0))).unwrap();
        let left: Vec<_> =
            fs::read_dir(&stage.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [RECORDS_FILE]);
        assert_eq!(find_records(folder.path()), [stage.folder.join(RECORDS_FILE)]);
        let again = output.on_event(&Event::StageStarted(Arc::new(stage))).unwrap_err().to_string();
        assert!(again.ends_with("exists already: write to another folder"), "{again}");
    }

    #[test]
    fn a_run_that_ends_in_the_middle_of_a_stage_keeps_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let stage = sample::stage(folder.path());
        let mut output = ParquetOutput::new();
        events(&mut output, &stage, &[sample::success(0, 3), sample::success(1, 3)]);
        output.on_event(&Event::RunFinished).unwrap();
        let stored = read(folder.path()).unwrap();
        assert_eq!((stored.end, stored.recovered, stored.rows), (None, true, 2));
    }

    #[test]
    fn a_conversion_that_fails_keeps_the_journal_and_says_how_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let stage = sample::stage(folder.path());
        let mut output = ParquetOutput::new();
        events(&mut output, &stage, &[sample::success(0, 3)]);
        let in_the_way = folder.path().join("requests.parquet.partial");
        fs::create_dir(&in_the_way).unwrap();
        let error = output.on_event(&finished(&stage, &sample::end(1.0))).unwrap_err().to_string();
        let shown = folder.path().display();
        assert!(
            error.starts_with(&format!("could not write \"{shown}/requests.parquet.partial\"")),
            "{error}"
        );
        assert!(error.ends_with(&format!("make room, then run `tickrate recover \"{shown}\"`")), "{error}");
        assert!(read(folder.path()).unwrap_err().to_string().contains("run `tickrate recover"));
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(recover(folder.path()).unwrap().stages[0].rows, 1);
    }

    #[test]
    fn a_file_that_is_no_parquet_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read(folder.path()).unwrap_err().to_string();
        assert!(missing.ends_with("name the folder of a stage"), "{missing}");
        fs::write(folder.path().join(RECORDS_FILE), b"PAR1 no PAR1").unwrap();
        let damaged = read(folder.path()).unwrap_err().to_string();
        assert!(damaged.contains(RECORDS_FILE) && damaged.contains("damaged"), "{damaged}");
    }
}
