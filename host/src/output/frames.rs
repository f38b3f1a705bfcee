//! The output that keeps replies: `frames.parquet` beside the records of each stage, with the frames
//! of every reply and their times, for `tickrate reparse`. Like the records it is journalled.

mod read;
mod rows;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::journal::{Journal, JournalReader, Table};
use super::{Output, OutputError, parquet as records};
use crate::record::{Event, RunHeader, StageEnd};

pub use read::{KeptReplies, read};
use rows::FrameRows;

/// The file that a stage's replies end in, in the stage's own folder.
pub const FRAMES_FILE: &str = "frames.parquet";
/// The file that they are kept in while the stage runs.
pub const JOURNAL_FILE: &str = "frames.journal";

/// A row group ends after this many bytes, as they are before they are encoded.
const GROUP_BYTES: usize = 32 << 20;

/// Writes one `frames.parquet` for each stage, in the stage's folder.
#[derive(Debug, Default)]
pub struct FramesOutput {
    run: Option<Arc<RunHeader>>,
    stage: Option<Journal<FrameRows>>,
}

impl FramesOutput {
    /// An output that learns what to write where from the events.
    pub fn new() -> FramesOutput {
        FramesOutput::default()
    }

    fn finish(&mut self, end: Option<&StageEnd>) -> Result<(), OutputError> {
        let Some(mut journal) = self.stage.take() else { return Ok(()) };
        journal.close()?;
        convert(journal.path(), end).map(|_| ())
    }
}

impl Output for FramesOutput {
    fn name(&self) -> &'static str {
        FRAMES_FILE
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::RunStarted(run) => self.run = Some(run.clone()),
            Event::StageStarted(stage) => {
                self.finish(None)?;
                if let Some(run) = &self.run {
                    self.stage = Some(Journal::create(run, stage)?);
                }
            }
            Event::ReplyKept(reply) => {
                if let Some(journal) = &self.stage {
                    journal.push(reply)?;
                }
            }
            Event::StageFinished(_, end) => self.finish(Some(end))?,
            Event::RunFinished => self.finish(None)?,
            Event::RequestSettled(_) | Event::Warned(_) => {}
        }
        Ok(())
    }
}

/// Turns the journal at `path` into the `frames.parquet` beside it and deletes it once that is safe
/// on disk. Returns the file.
///
/// # Errors
/// If the journal cannot be read, or the file not written.
pub(super) fn convert(path: &Path, end: Option<&StageEnd>) -> Result<PathBuf, OutputError> {
    Ok(records::convert::<FrameRows>(path, end, write)?.file)
}

fn write(journal: &mut JournalReader, path: &Path, metadata: Vec<KeyValue>) -> Result<u64, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_key_value_metadata(Some(metadata))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, FrameRows::schema(), Some(properties))?;
    let mut rows = 0;
    for batch in journal {
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
        if writer.in_progress_size() > GROUP_BYTES {
            writer.flush()?;
        }
    }
    writer.into_inner()?.sync_all()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::contract::framing::Framed;
    use crate::contract::{Failure, FailureKind, Frame, Framing};
    use crate::record::KeptReply;
    use crate::units::Nanos;

    fn kept(index: i64, broken: Option<Failure>) -> KeptReply {
        let frame =
            |at, event: Option<&str>, range| Frame { at: Nanos(at), event: event.map(str::to_string), range };
        KeptReply {
            request_id: format!("r-{index}"),
            attempt: 2,
            status: 206,
            content_type: Some("text/event-stream".into()),
            framing: Framing::Ndjson,
            sent: Nanos(index),
            broken,
            labels: vec![("a".into(), "1".into())],
            framed: Framed {
                payload: b"{}\n\xff".to_vec(),
                frames: vec![frame(index + 1, None, 0..2), frame(index + 5, Some("error"), 3..4)],
            },
        }
    }

    #[test]
    fn replies_are_read_as_they_were_kept() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Arc::new(sample::stage(folder.path()));
        let all = [
            kept(7, None),
            kept(8, Some(Failure::new(FailureKind::Truncated, "gone"))),
            KeptReply { content_type: None, labels: Vec::new(), framed: Framed::default(), ..kept(9, None) },
        ];
        let mut output = FramesOutput::new();
        output.on_event(&Event::RunStarted(Arc::new(sample::run()))).unwrap();
        output.on_event(&Event::StageStarted(stage.clone())).unwrap();
        for reply in &all {
            output.on_event(&Event::ReplyKept(Box::new(reply.clone()))).unwrap();
        }
        assert!(folder.path().join(JOURNAL_FILE).exists());
        output.on_event(&Event::StageFinished(stage, Box::new(sample::end(1.0)))).unwrap();
        assert!(!folder.path().join(JOURNAL_FILE).exists());
        let read: Vec<_> = read(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, all);
    }

    #[test]
    fn a_folder_without_kept_replies_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let told = read(folder.path()).err().unwrap().to_string();
        assert!(told.ends_with("the run kept no replies; repeat it with --save-frames"), "{told}");
        std::fs::write(folder.path().join(FRAMES_FILE), "x").unwrap();
        let told = read(folder.path()).err().unwrap().to_string();
        assert!(told.contains("frames.parquet\": ") && told.contains("damaged"), "{told}");
    }
}
