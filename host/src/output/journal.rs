//! The journal of a stage: the rows of a table, on disk as they come, so that a run that is killed
//! loses nothing but the last moment. It is an Arrow IPC stream; any Arrow library can read it.

mod read;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

pub use read::JournalReader;

use super::OutputError;
use super::schema::{RUN_KEY, STAGE_KEY, VERSION_KEY};
use crate::record::{RunHeader, StageHeader};

/// How long a row may wait in memory.
const HOLD: Duration = Duration::from_millis(150);
/// How many rows may.
const HOLD_ROWS: usize = 256;
/// How much memory they may take together, in bytes.
const HOLD_BYTES: usize = 8 << 20;

/// Rows that are collected and become batches, and the files that they go to.
pub trait Table: std::fmt::Debug + Send + 'static {
    /// What a row is made of.
    type Row;
    /// The file that rows are kept in while the stage runs, in the stage's own folder.
    const JOURNAL: &'static str;
    /// The file that they end in.
    const FILE: &'static str;
    /// No rows yet.
    fn new() -> Self;
    /// The columns.
    fn schema() -> SchemaRef;
    /// Appends a row.
    fn push(&mut self, row: &Self::Row);
    /// How many rows wait to become a batch.
    fn waiting(&self) -> usize;
    /// Roughly how much memory they take, in bytes.
    fn bytes(&self) -> usize;
    /// The waiting rows as a batch; afterwards none waits.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError>;
}

/// A journal that is being written. While it lives it holds a lock on its file, by which others see
/// that the run is alive. Dropping it writes what waits and leaves the file.
#[derive(Debug)]
pub struct Journal<T: Table> {
    shared: Arc<Shared<T>>,
    ticker: Option<JoinHandle<()>>,
    path: PathBuf,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State<T> {
    rows: T,
    oldest: Option<Instant>,
    encoder: StreamWriter<Vec<u8>>,
    file: File,
    failure: Option<String>,
    closed: bool,
}

impl<T: std::fmt::Debug> std::fmt::Debug for State<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("rows", &self.rows)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl<T: Table> State<T> {
    /// Writes the waiting rows with one call. After a failure nothing more is written, so that the
    /// file is torn at its end only.
    fn flush(&mut self) {
        self.oldest = None;
        if self.failure.is_some() || self.rows.waiting() == 0 {
            return;
        }
        let encoded = self.rows.finish().and_then(|batch| self.encoder.write(&batch));
        let written = encoded.and_then(|()| Ok(self.file.write_all(self.encoder.get_ref())?));
        self.encoder.get_mut().clear();
        self.failure = written.err().map(|error| reason(&error));
    }

    fn must_flush(&self) -> bool {
        let waited = self.oldest.is_some_and(|oldest| oldest.elapsed() >= HOLD);
        waited || self.rows.waiting() >= HOLD_ROWS || self.rows.bytes() >= HOLD_BYTES
    }
}

impl<T: Table> Journal<T> {
    /// Starts the journal of `stage`, in its folder, which is made if need be. Fails if the folder
    /// holds records already, or cannot be written to.
    pub fn create(run: &RunHeader, stage: &StageHeader) -> Result<Journal<T>, OutputError> {
        let folder = &stage.folder;
        let path = folder.join(T::JOURNAL);
        if path.exists() {
            return Err(OutputError(format!(
                "\"{}\" is of a run that was cut short: run {} first, or write to another folder",
                path.display(),
                recover_command(folder)
            )));
        }
        let records = folder.join(T::FILE);
        if records.exists() {
            let records = records.display();
            return Err(OutputError(format!("\"{records}\" exists already: write to another folder")));
        }
        let failed = |error: ArrowError| {
            let (path, error) = (path.display(), reason(&error));
            OutputError(format!(
                "could not make \"{path}\": {error}; see to it that the folder can be written to"
            ))
        };
        let (file, encoder) = begin(&path, &T::schema(), run, stage).map_err(failed)?;
        let state = State { rows: T::new(), oldest: None, encoder, file, failure: None, closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let ticked = shared.clone();
        let ticker = std::thread::Builder::new().name("journal".into()).spawn(move || tick(&ticked));
        let ticker = ticker.map_err(|error| failed(error.into()))?;
        Ok(Journal { shared, ticker: Some(ticker), path })
    }

    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a row. It is on its way to the disk within 200 ms.
    /// Fails if it, or a row before it, could not be written.
    pub fn push(&self, row: &T::Row) -> Result<(), OutputError> {
        let mut state = self.shared.lock();
        state.rows.push(row);
        if state.oldest.is_none() {
            state.oldest = Some(Instant::now());
            self.shared.changed.notify_one();
        }
        if state.must_flush() {
            state.flush();
        }
        self.verdict(&state)
    }

    /// Writes what waits, and writes nothing after it.
    pub fn close(&mut self) -> Result<(), OutputError> {
        let mut state = self.shared.lock();
        state.flush();
        state.closed = true;
        self.shared.changed.notify_one();
        let verdict = self.verdict(&state);
        drop(state);
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
        verdict
    }

    fn verdict(&self, state: &State<T>) -> Result<(), OutputError> {
        let Some(failure) = &state.failure else { return Ok(()) };
        Err(OutputError(format!(
            "could not write \"{}\": {failure}; the rows before it are kept there: make room, then run {}",
            self.path.display(),
            recover_command(self.path.parent().unwrap_or(Path::new(".")))
        )))
    }
}

impl<T: Table> Drop for Journal<T> {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// Makes the file. It gets its name when it is locked and has a schema, so that whoever finds a
/// journal can tell whether its run is alive, and read it.
fn begin(
    path: &Path,
    columns: &Schema,
    run: &RunHeader,
    stage: &StageHeader,
) -> Result<(File, StreamWriter<Vec<u8>>), ArrowError> {
    let json = |error: serde_json::Error| ArrowError::ExternalError(Box::new(error));
    let metadata = HashMap::from([
        (RUN_KEY.to_string(), serde_json::to_string(run).map_err(json)?),
        (STAGE_KEY.to_string(), serde_json::to_string(stage).map_err(json)?),
        (VERSION_KEY.to_string(), env!("CARGO_PKG_VERSION").to_string()),
    ]);
    let schema = Schema::new_with_metadata(columns.fields().clone(), metadata);
    let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5)?;
    let mut encoder = StreamWriter::try_new_with_options(Vec::new(), &schema, options)?;
    fs::create_dir_all(&stage.folder)?;
    let unnamed = path.with_extension("journal.new");
    let mut file = File::create(&unnamed)?;
    match file.lock() {
        Err(error) if error.kind() != std::io::ErrorKind::Unsupported => return Err(error.into()),
        _ => {}
    }
    file.write_all(encoder.get_ref())?;
    encoder.get_mut().clear();
    fs::rename(&unnamed, path)?;
    Ok((file, encoder))
}

/// Writes rows that have waited long enough, where no further event does.
fn tick<T: Table>(shared: &Shared<T>) {
    let mut state = shared.lock();
    while !state.closed {
        let left = state.oldest.map(|oldest| HOLD.saturating_sub(oldest.elapsed()));
        state = match left {
            None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(Duration::ZERO) => {
                state.flush();
                state
            }
            Some(left) => shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
        };
    }
}

/// The command that recovers what is in `folder`, to be quoted in messages.
pub(super) fn recover_command(folder: &Path) -> String {
    format!("`tickrate recover \"{}\"`", folder.display())
}

/// What lies at the bottom of an error, in one line.
pub(super) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::rows::Rows;
    use super::super::sample;
    use super::*;

    fn journal(folder: &Path, rows: u64) -> Journal<Rows> {
        let journal = Journal::create(&sample::run(), &sample::stage(folder)).unwrap();
        for index in 0..rows {
            journal.push(&sample::success(index, 4)).unwrap();
        }
        journal
    }

    fn rows_in(path: &Path) -> usize {
        JournalReader::open::<Rows>(path).unwrap().map(|batch| batch.num_rows()).sum()
    }

    #[test]
    fn a_row_is_on_disk_within_200_ms_although_nothing_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path(), 1);
        assert_eq!(rows_in(journal.path()), 0);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(rows_in(journal.path()), 1);
    }

    #[test]
    fn a_full_batch_is_on_disk_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(rows_in(journal(folder.path(), 1 + HOLD_ROWS as u64).path()) >= HOLD_ROWS);
    }

    /// Wherever a kill cuts the file, the batches before the cut are read.
    #[test]
    fn a_torn_tail_costs_its_own_batch_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(folder.path(), 2 * HOLD_ROWS as u64 + 5);
        journal.close().unwrap();
        let bytes = fs::read(journal.path()).unwrap();
        let whole = rows_in(journal.path());
        assert_eq!(whole, 2 * HOLD_ROWS + 5);
        let mut before = whole;
        for cut in (0..bytes.len()).rev().step_by(bytes.len() / 200) {
            fs::write(journal.path(), &bytes[..cut]).unwrap();
            let Ok(mut reader) = JournalReader::open::<Rows>(journal.path()) else { break };
            let rows: usize = reader.by_ref().map(|batch| batch.num_rows()).sum();
            assert!(rows <= before && before - rows <= HOLD_ROWS, "{rows} rows of {before} at {cut}");
            assert!(reader.torn_bytes() < cut as u64);
            before = rows;
        }
        assert_eq!(before, 0);
    }

    #[test]
    fn a_full_disk_is_told_with_the_file_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(folder.path(), 0);
        journal.shared.lock().file = File::options().write(true).open("/dev/full").unwrap();
        journal.push(&sample::success(0, 4)).unwrap();
        let error = journal.close().unwrap_err().to_string();
        let path = journal.path().display();
        assert!(error.starts_with(&format!("could not write \"{path}\": No space left")), "{error}");
        assert!(error.contains("`tickrate recover \""), "{error}");
        assert!(journal.push(&sample::success(1, 4)).is_err());
    }
}
