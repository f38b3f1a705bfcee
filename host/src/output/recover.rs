//! What a run that was cut short left behind: finding it, and making records of it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::OutputError;
use super::frames;
use super::journal::JournalReader;
use super::parquet::convert_records;
use super::rows::Rows;
use super::schema::{JOURNAL_FILE, RECORDS_FILE};
use super::server_metrics::journal as server_metrics;
use super::stored::read;
use crate::record::StageHeader;

/// How far below the outputs folder a stage's folder may lie: `<time>/<model>/<stage>`, and one more.
const DEPTH: usize = 4;

/// A stage that was recovered.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveredStage {
    /// The stage, with the folder that it is in.
    pub stage: StageHeader,
    /// The file that its records are in now.
    pub file: PathBuf,
    /// How many there are.
    pub rows: u64,
    /// Bytes at the journal's end that were no whole batch of rows; they are kept in
    /// `requests.journal.torn`.
    pub torn_bytes: u64,
}

/// What a recovery found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovered {
    /// The stages that have their records again, ordered by folder.
    pub stages: Vec<RecoveredStage>,
    /// Journals of runs that are alive; they were left alone.
    pub live: Vec<PathBuf>,
    /// Journals that could not be recovered, and why.
    pub failures: Vec<OutputError>,
    /// The files of kept replies that were made, ordered by folder.
    pub replies: Vec<PathBuf>,
    /// The files of the servers' own metrics that were made, likewise.
    pub server_metrics: Vec<PathBuf>,
}

/// Turns every journal that is in `folder`, or in a folder below it, into the `requests.parquet`
/// beside it, as far as the journal is whole. Runs that are alive are left alone. Doing it again
/// finds nothing left to do. Fails if there is no such folder.
pub fn recover(folder: &Path) -> Result<Recovered, OutputError> {
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(OutputError(format!("there is no folder \"{folder}\": name the output folder of a run")));
    }
    let mut recovered = Recovered::default();
    for path in find(folder, JOURNAL_FILE, DEPTH) {
        recovered.each(path, |recovered, path| {
            recovered.stages.push(recover_one(path)?);
            Ok(())
        });
    }
    for path in find(folder, frames::JOURNAL_FILE, DEPTH) {
        recovered.each(path, |recovered, path| {
            recovered.replies.push(frames::convert(path, None)?);
            Ok(())
        });
    }
    for path in find(folder, server_metrics::JOURNAL_FILE, DEPTH) {
        recovered.each(path, |recovered, path| {
            recovered.server_metrics.push(server_metrics::recover(path)?);
            Ok(())
        });
    }
    Ok(recovered)
}

impl Recovered {
    /// Recovers one journal, unless its run is alive.
    fn each(
        &mut self,
        path: PathBuf,
        recover: impl FnOnce(&mut Recovered, &Path) -> Result<(), OutputError>,
    ) {
        match seize(&path) {
            Ok(None) => self.live.push(path),
            Ok(Some(_lock)) => {
                if let Err(error) = recover(self, &path) {
                    self.failures.push(error);
                }
            }
            // Another recovery was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let told =
                    format!("could not open \"{}\": {error}; see to it that it can be read", path.display());
                self.failures.push(OutputError(told));
            }
        }
    }
}

fn recover_one(path: &Path) -> Result<RecoveredStage, OutputError> {
    let journal = JournalReader::open::<Rows>(path)?;
    let stage = journal.stage().clone();
    let file = path.with_file_name(RECORDS_FILE);
    if file.exists() {
        // The run was cut short after the file was complete and before the journal was deleted.
        let stored = read(&file)?;
        if stored.run.run_id != journal.run().run_id || stored.stage.name != stage.name {
            let (file, path) = (file.display(), path.display());
            return Err(OutputError(format!(
                "\"{file}\" is of another run than \"{path}\": move one of them away"
            )));
        }
        let rows = stored.rows;
        fs::remove_file(path).map_err(|error| {
            OutputError(format!("could not remove \"{}\": {error}; delete it", path.display()))
        })?;
        return Ok(RecoveredStage { stage, file, rows, torn_bytes: 0 });
    }
    drop(journal);
    let converted = convert_records(path, None)?;
    let (rows, torn_bytes) = (converted.rows, converted.torn_bytes);
    Ok(RecoveredStage { stage, file: converted.file, rows, torn_bytes })
}

/// The folders of the runs in `outputs` that left a journal and are no longer alive: what `tickrate recover`
/// would work on. A folder that cannot be read counts as empty.
pub fn find_abandoned(outputs: &Path) -> Vec<PathBuf> {
    // The records' journals are in the folders of their stages, the other one in that of the run.
    let mut runs = Vec::new();
    for (name, above) in [(JOURNAL_FILE, 2), (server_metrics::JOURNAL_FILE, 1)] {
        let journals = find(outputs, name, DEPTH).into_iter();
        let dead = journals.filter(|path| matches!(seize(path), Ok(Some(_))));
        runs.extend(dead.filter_map(|path| path.ancestors().nth(above).map(Path::to_path_buf)));
    }
    runs.sort();
    runs.dedup();
    runs
}

/// The `requests.parquet` files in `folder` and at most four folders below it, ordered by path.
pub fn find_records(folder: &Path) -> Vec<PathBuf> {
    find(folder, RECORDS_FILE, DEPTH)
}

/// Takes the lock of a journal; `None` if its run is alive. Where the file system has no locks, a
/// run counts as alive for a minute after its last row.
fn seize(path: &Path) -> io::Result<Option<File>> {
    let file = File::open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            let age = SystemTime::now().duration_since(file.metadata()?.modified()?).unwrap_or_default();
            Ok((age > Duration::from_secs(60)).then_some(file))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Files called `name` in `folder` and down to `depth` folders below it, ordered by path. Links to
/// folders are not followed.
fn find(folder: &Path, name: &str, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), depth)];
    while let Some((folder, depth)) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth > 0 => open.push((entry.path(), depth - 1)),
                Ok(kind) if kind.is_file() && entry.file_name() == name => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::super::journal::Journal;
    use super::super::sample;
    use super::*;
    use crate::clock::monotonic_ns;
    use crate::units::Nanos;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// Names the folder to the process that is going to be killed.
    const FOLDER: &str = "TICKRATE_TEST_JOURNAL";

    /// Not a test of its own: the process that the test below kills.
    #[test]
    #[ignore = "run by another test"]
    fn journals_until_it_is_killed() {
        let Some(folder) = std::env::var_os(FOLDER) else { return };
        let journal = Journal::<Rows>::create(&sample::run(), &sample::stage(Path::new(&folder))).unwrap();
        for index in 0.. {
            let mut record = sample::success(index, 4);
            record.closed = Nanos(monotonic_ns());
            journal.push(&record).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_killed_run_loses_only_its_last_moment() {
        let outputs = tempfile::tempdir().unwrap();
        let folder = outputs.path().join("20260101_000000/m/parallel_2_number_4");
        let journal = folder.join(JOURNAL_FILE);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "output::recover::tests::journals_until_it_is_killed"])
            .env(FOLDER, &folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !journal.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(700));
        assert!(find_abandoned(outputs.path()).is_empty());
        assert_eq!(recover(outputs.path()).unwrap().live, std::slice::from_ref(&journal));
        let killed = monotonic_ns();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(find_abandoned(outputs.path()), [journal.ancestors().nth(2).unwrap()]);
        let recovered = recover(outputs.path()).unwrap();
        assert_eq!((recovered.live.len(), recovered.failures.len(), recovered.stages.len()), (0, 0, 1));
        let stored = read(&folder).unwrap();
        assert!(stored.recovered && stored.end.is_none());
        assert_eq!(recovered.stages[0].rows, stored.rows);
        let last = stored.records.last().unwrap().unwrap();
        // 200 ms are promised; the rest is for a machine that is busy with other tests.
        assert!(Nanos(killed) - last.closed < Nanos::from_ms(600.0));
        assert_eq!(recover(outputs.path()).unwrap(), Recovered::default());
    }

    fn left_behind(folder: &Path, rows: u64) {
        let journal = Journal::<Rows>::create(&sample::run(), &sample::stage(folder)).unwrap();
        (0..rows).for_each(|index| journal.push(&sample::success(index, 4)).unwrap());
    }

    #[test]
    fn torn_bytes_are_told_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        left_behind(folder.path(), 3);
        let journal = folder.path().join(JOURNAL_FILE);
        File::options().append(true).open(&journal).unwrap().write_all(b"half a batch").unwrap();
        let recovered = recover(folder.path()).unwrap();
        assert_eq!((recovered.stages[0].rows, recovered.stages[0].torn_bytes), (3, 12));
        assert!(folder.path().join("requests.journal.torn").exists());
        assert_eq!(recover(folder.path()).unwrap(), Recovered::default());
    }

    #[test]
    fn a_journal_whose_file_is_complete_is_only_deleted() {
        let folder = tempfile::tempdir().unwrap();
        left_behind(folder.path(), 3);
        let (journal, kept) = (folder.path().join(JOURNAL_FILE), folder.path().join("kept"));
        fs::copy(&journal, &kept).unwrap();
        recover(folder.path()).unwrap();
        fs::rename(&kept, &journal).unwrap();
        assert_eq!(recover(folder.path()).unwrap().stages[0].rows, 3);
        assert!(!journal.exists());
    }

    #[test]
    fn what_is_no_journal_does_not_keep_others_from_being_recovered() {
        let folder = tempfile::tempdir().unwrap();
        left_behind(&folder.path().join("a"), 1);
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b").join(JOURNAL_FILE), [0xff_u8; 64]).unwrap();
        let recovered = recover(folder.path()).unwrap();
        assert_eq!((recovered.stages.len(), recovered.failures.len()), (1, 1));
        assert!(recovered.failures[0].to_string().contains("b/requests.journal"));
        assert!(recover(&folder.path().join("none")).is_err());
    }
}
