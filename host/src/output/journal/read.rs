//! Reads a journal, that of a run which was killed too.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::reader::StreamReader;

use super::super::OutputError;
use super::super::schema::{RUN_KEY, STAGE_KEY, VERSION_KEY};
use super::{Table, reason};
use crate::panics::contain;
use crate::record::{RunHeader, StageHeader};

/// A journal that is being read, batch by batch, up to where it is whole.
#[derive(Debug)]
pub struct JournalReader {
    stream: StreamReader<Counted>,
    /// Whether it is read no further.
    over: bool,
    length: u64,
    whole: u64,
    run: RunHeader,
    stage: StageHeader,
}

impl JournalReader {
    /// Opens the journal of a `T` at `path`. Fails if it cannot be read, is no journal, or is one of
    /// a version of tickrate whose rows were different.
    pub fn open<T: Table>(path: &Path) -> Result<JournalReader, OutputError> {
        let told = |error: String, advice: &str| {
            OutputError(format!("could not read the journal \"{}\": {error}; {advice}", path.display()))
        };
        let io = |error: std::io::Error| told(error.to_string(), "see to it that it can be read");
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let bytes = Counted { inner: BufReader::with_capacity(1 << 18, file), read: 0 };
        let none = |error| told(error, "it is damaged, or no journal of tickrate");
        let stream = contain(|| StreamReader::try_new(bytes, None)).map_err(none)?;
        let stream = stream.map_err(|error| none(reason(&error)))?;
        let written = stream.schema();
        if written.fields() != T::schema().fields() {
            let version = written.metadata().get(VERSION_KEY).map_or("another version", String::as_str);
            return Err(told(
                "its columns are different".to_string(),
                &format!("recover it with the tickrate that wrote it, {version}"),
            ));
        }
        let run = header(&written, RUN_KEY).map_err(|error| told(error, "it is damaged"))?;
        let mut stage: StageHeader =
            header(&written, STAGE_KEY).map_err(|error| told(error, "it is damaged"))?;
        stage.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let whole = stream.get_ref().read;
        Ok(JournalReader { stream, over: false, length, whole, run, stage })
    }

    /// The run that wrote it.
    pub fn run(&self) -> &RunHeader {
        &self.run
    }

    /// The stage that it is of; its folder is where the journal is now.
    pub fn stage(&self) -> &StageHeader {
        &self.stage
    }

    /// How many bytes there are after the last whole batch; right once all batches were read.
    pub fn torn_bytes(&self) -> u64 {
        self.length.saturating_sub(self.whole)
    }
}

impl Iterator for JournalReader {
    type Item = RecordBatch;

    /// The next batch that is whole.
    fn next(&mut self) -> Option<RecordBatch> {
        if self.over {
            return None;
        }
        let batch = contain(|| self.stream.next()).ok().flatten().and_then(Result::ok);
        match batch {
            Some(_) => self.whole = self.stream.get_ref().read,
            None => self.over = true,
        }
        batch
    }
}

fn header<T: serde::de::DeserializeOwned>(schema: &Schema, key: &str) -> Result<T, String> {
    let json = schema.metadata().get(key).ok_or_else(|| format!("\"{key}\" is missing in it"))?;
    serde_json::from_str(json).map_err(|error| format!("\"{key}\" in it is not what it should be: {error}"))
}

/// The file, of which it counts what is read.
#[derive(Debug)]
struct Counted {
    inner: BufReader<File>,
    read: u64,
}

/// How much of a journal the system may keep in memory after it was read.
const KEPT: u64 = 16 << 20;

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let before = self.read;
        self.read += read as u64;
        if before / KEPT < self.read / KEPT {
            self.forget_what_was_read();
        }
        Ok(read)
    }
}

impl Counted {
    /// Nobody reads a journal twice: its pages may be those of the file that is made of it, which is less
    /// work for the system than new ones.
    fn forget_what_was_read(&self) {
        let read = libc::off_t::try_from(self.read).unwrap_or(0);
        // SAFETY: a plain system call on a descriptor that is open.
        let _ = unsafe {
            libc::posix_fadvise(self.inner.get_ref().as_raw_fd(), 0, read, libc::POSIX_FADV_DONTNEED)
        };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::super::rows::Rows;
    use super::super::super::sample;
    use super::super::{HOLD_ROWS, Journal};
    use super::*;

    /// Found by the fuzz target `journal`: the reader of Arrow trusts the offsets in a file.
    #[test]
    fn a_damaged_batch_costs_itself_and_those_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::<Rows>::create(&sample::run(), &sample::stage(folder.path())).unwrap();
        for index in 0..=HOLD_ROWS as u64 {
            journal.push(&sample::success(index, 4)).unwrap();
        }
        journal.close().unwrap();
        let whole = fs::read(journal.path()).unwrap();
        let mut reader = JournalReader::open::<Rows>(journal.path()).unwrap();
        let schema = reader.whole as usize;
        let first = reader.next().unwrap().num_rows();
        let second = reader.whole as usize;
        let mut lost = 0;
        // The lengths and offsets of the second batch are in its first few kilobytes.
        for at in (second..(second + 4096).min(whole.len())).step_by(5) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x80;
            fs::write(journal.path(), &damaged).unwrap();
            let mut reader = JournalReader::open::<Rows>(journal.path()).unwrap();
            let rows: usize = reader.by_ref().map(|batch| batch.num_rows()).sum();
            assert!(rows >= first, "{rows} rows of {first} at {at}");
            assert!(reader.whole as usize > schema && reader.next().is_none());
            lost += usize::from(rows == first);
        }
        assert!(lost > 20, "{lost} of the damages were seen");
    }
}
