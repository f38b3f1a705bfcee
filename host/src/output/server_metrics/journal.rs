//! The server's answers, on disk as they come, so that a run that is killed keeps those it had. Each is its
//! length and then its bytes, compressed: the moment and the stage as a line of JSON, and the answer itself.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::OutputError;
use super::{MOST_BYTES, SERVER_METRICS_FILE, begin, push};
use crate::units::Nanos;

/// The file, in the run's folder, until [`SERVER_METRICS_FILE`] is complete.
pub(in super::super) const JOURNAL_FILE: &str = "server_metrics.journal";
/// The most bytes of the line before an answer.
const MOST_HEAD: usize = 64 << 10;

/// A journal that is being written. While it lives it holds a lock on its file, by which others see that the
/// run is alive.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

/// When an answer came, and in which stage.
#[derive(Serialize, Deserialize)]
struct Head {
    at_ns: i64,
    stage: Option<String>,
}

impl Journal {
    /// Begins the journal in the run's `folder`. It gets its name once it is locked.
    pub(super) fn create(folder: &Path) -> io::Result<Journal> {
        let path = folder.join(JOURNAL_FILE);
        let unnamed = path.with_extension("journal.new");
        let file = File::create(&unnamed)?;
        match file.lock() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        fs::rename(&unnamed, &path)?;
        Ok(Journal { file, path })
    }

    /// Keeps an answer.
    pub(super) fn push(&mut self, at: Nanos, stage: Option<&str>, answer: &str) -> io::Result<()> {
        let head = Head { at_ns: at.0, stage: stage.map(str::to_string) };
        let text = format!("{}\n{answer}", serde_json::to_string(&head)?);
        let packed = zstd::bulk::compress(text.as_bytes(), 1)?;
        let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
        // With one call: what is torn is torn at the end.
        self.file.write_all(&[&length.to_le_bytes()[..], &packed].concat())
    }

    /// Removes it: what it holds is safe elsewhere.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Makes [`SERVER_METRICS_FILE`] of the journal at `path`, as far as that is whole, and removes the journal.
/// Returns the file.
///
/// # Errors
/// If the journal cannot be read, or the file not written.
pub(in super::super) fn recover(path: &Path) -> Result<PathBuf, OutputError> {
    let failed = |error: io::Error| {
        OutputError(format!(
            "could not recover \"{}\": {error}; see to it that it can be read",
            path.display()
        ))
    };
    let mut journal = io::BufReader::new(File::open(path).map_err(failed)?);
    let made = path.with_file_name(SERVER_METRICS_FILE);
    let mut file = begin(&made)?;
    while let Some((head, answer)) = next(&mut journal) {
        push(&mut file, Nanos(head.at_ns), head.stage.as_deref(), &answer)?;
    }
    file.finish()?;
    fs::remove_file(path).map_err(failed)?;
    Ok(made)
}

/// The next answer that is whole.
fn next(journal: &mut impl Read) -> Option<(Head, String)> {
    let mut length = [0; 4];
    journal.read_exact(&mut length).ok()?;
    let mut packed = Vec::new();
    journal.take(u64::from(u32::from_le_bytes(length))).read_to_end(&mut packed).ok()?;
    let text = zstd::bulk::decompress(&packed, MOST_HEAD + MOST_BYTES * 2).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (head, answer) = text.split_once('\n')?;
    Some((serde_json::from_str(head).ok()?, answer.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "# TYPE running gauge\nrunning{engine=\"0\"} 3\nwaiting 1\n";

    fn rows(file: &Path) -> usize {
        let file = File::open(file).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1024).unwrap();
        reader.map(|batch| batch.unwrap().num_rows()).sum()
    }

    #[test]
    fn what_was_kept_before_a_kill_becomes_the_file_and_a_torn_end_costs_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path()).unwrap();
        for at in 0..5 {
            journal.push(Nanos(at), Some("parallel_1_number_2").filter(|_| at > 0), ANSWER).unwrap();
        }
        let path = folder.path().join(JOURNAL_FILE);
        let whole = fs::read(&path).unwrap();
        drop(journal);
        for (bytes, expected) in [(whole.len(), 10), (whole.len() - 1, 8), (3, 0)] {
            fs::write(&path, &whole[..bytes]).unwrap();
            let made = recover(&path).unwrap();
            assert_eq!(rows(&made), expected, "of {bytes} bytes");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_journal_that_is_written_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path()).unwrap();
        let path = folder.path().join(JOURNAL_FILE);
        assert!(File::open(&path).unwrap().try_lock().is_err());
        journal.remove().unwrap();
        assert!(!path.exists());
    }
}
