//! Reads a Parquet file batch by batch, a little ahead of being asked for, on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::OutputError;
use super::journal::reason;
use crate::panics::contain;

/// What is made of a batch, on the reading thread; or why nothing could be.
type Make<T> = Box<dyn FnMut(RecordBatch) -> Result<T, String> + Send>;

/// What was made of the batches of a file, in their order. After an error there are no more.
pub(super) struct Ahead<T> {
    source: Source<T>,
    file: PathBuf,
}

/// Where it comes from: a thread, once the first of it was asked for.
enum Source<T> {
    Closed(Option<(ParquetRecordBatchReader, Make<T>)>),
    Reading(Receiver<Result<T, String>>, JoinHandle<()>),
}

impl<T> Ahead<T> {
    /// Reads the batches of `reader`, which is of `file`, and makes something of each.
    pub(super) fn new(
        reader: ParquetRecordBatchReader,
        file: &Path,
        make: impl FnMut(RecordBatch) -> Result<T, String> + Send + 'static,
    ) -> Ahead<T> {
        Ahead { source: Source::Closed(Some((reader, Box::new(make)))), file: file.to_path_buf() }
    }

    /// An error in what was read of the file.
    pub(super) fn wrong(&self, error: &str) -> OutputError {
        let file = self.file.display();
        OutputError(format!("could not read \"{file}\": {error}; it is damaged, or was changed"))
    }
}

impl<T> std::fmt::Debug for Ahead<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("file", &self.file).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Iterator for Ahead<T> {
    type Item = Result<T, OutputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let read = match std::mem::replace(&mut self.source, Source::Closed(None)) {
                Source::Closed(reader) => {
                    let (reader, make) = reader?;
                    let (sender, made) = sync_channel(1);
                    let thread = std::thread::Builder::new().name("records".into());
                    match thread.spawn(move || read_ahead(reader, make, &sender)) {
                        Ok(thread) => {
                            self.source = Source::Reading(made, thread);
                            continue;
                        }
                        Err(error) => Err(error.to_string()),
                    }
                }
                Source::Reading(made, thread) => match made.recv() {
                    Ok(Ok(made_of_one)) => {
                        self.source = Source::Reading(made, thread);
                        Ok(made_of_one)
                    }
                    Ok(Err(error)) => Err(error),
                    // It has read to the end, unless it came to grief.
                    Err(_) if thread.join().is_ok() => return None,
                    Err(_) => Err("the thread that read it panicked".to_string()),
                },
            };
            return Some(read.map_err(|error| self.wrong(&error)));
        }
    }
}

/// Reads batch after batch, up to the first error, or until nobody wants more.
fn read_ahead<T>(
    mut reader: ParquetRecordBatchReader,
    mut make: Make<T>,
    sender: &SyncSender<Result<T, String>>,
) {
    let mut next = || Some(reader.next()?.map_err(|error| reason(&error)).and_then(&mut make));
    while let Some(made) = contain(&mut next).unwrap_or_else(|panic| Some(Err(panic))) {
        let failed = made.is_err();
        if sender.send(made).is_err() || failed {
            return;
        }
    }
}
