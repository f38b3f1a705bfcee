//! Reads `frames.parquet` back.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::{
    Array, BinaryArray, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray,
};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::super::OutputError;
use super::super::decode::{column, labels_at};
use super::super::journal::{reason, recover_command};
use super::rows::FRAMINGS;
use super::{FRAMES_FILE, JOURNAL_FILE};
use crate::contract::framing::Framed;
use crate::contract::{Failure, FailureKind, Frame};
use crate::panics::contain;
use crate::record::KeptReply;
use crate::units::Nanos;

/// Replies that are read at a time; one of a thousand frames takes some hundred kilobytes.
const BATCH_ROWS: usize = 32;

/// The replies of a stage, in the order that they were kept. After an error there are no more.
#[derive(Debug)]
pub struct KeptReplies {
    reader: Option<ParquetRecordBatchReader>,
    batch: std::vec::IntoIter<KeptReply>,
    file: PathBuf,
}

/// Opens the kept replies of the stage in `folder`.
///
/// # Errors
/// If there are none, or the file is damaged.
pub fn read(folder: &Path) -> Result<KeptReplies, OutputError> {
    let file = folder.join(FRAMES_FILE);
    if !file.exists() {
        let advice = if folder.join(JOURNAL_FILE).exists() {
            format!("the run was cut short: run {} first", recover_command(folder))
        } else {
            "the run kept no replies; repeat it with --save-frames".to_string()
        };
        return Err(OutputError(format!("there is no \"{}\": {advice}", file.display())));
    }
    let opened = File::open(&file).map_err(|error| unreadable(&file, &error.to_string()))?;
    let open = || ParquetRecordBatchReaderBuilder::try_new(opened)?.with_batch_size(BATCH_ROWS).build();
    let reader = contain(open).map_err(|damage| unreadable(&file, &damage))?;
    let reader = reader.map_err(|error| unreadable(&file, &reason(&error)))?;
    Ok(KeptReplies { reader: Some(reader), batch: Vec::new().into_iter(), file })
}

fn unreadable(file: &Path, error: &str) -> OutputError {
    let file = file.display();
    OutputError(format!("could not read \"{file}\": {error}; it is damaged, or not written by tickrate"))
}

impl Iterator for KeptReplies {
    type Item = Result<KeptReply, OutputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(reply) = self.batch.next() {
                return Some(Ok(reply));
            }
            let reader = self.reader.as_mut()?;
            let next = || {
                let batch = reader.next()?.map_err(|error| reason(&error));
                Some(batch.and_then(|batch| replies(&batch)))
            };
            match contain(next).unwrap_or_else(|damage| Some(Err(damage)))? {
                Ok(replies) => self.batch = replies.into_iter(),
                Err(error) => {
                    self.reader = None;
                    return Some(Err(unreadable(&self.file, &error)));
                }
            }
        }
    }
}

fn replies(batch: &RecordBatch) -> Result<Vec<KeptReply>, String> {
    let text = |name| column::<StringArray>(batch, name);
    let list = |name| column::<ListArray>(batch, name);
    let (request_id, content_type) = (text("request_id")?, text("content_type")?);
    let (framing, error_kind, error) = (text("framing")?, text("error_kind")?, text("error")?);
    let (attempt, status) = (column::<Int32Array>(batch, "attempt")?, column::<Int32Array>(batch, "status")?);
    let sent = column::<Int64Array>(batch, "sent_ns")?;
    let labels = column::<MapArray>(batch, "labels")?;
    let (times, events) = (list("frame_ns")?, list("frame_event")?);
    let (starts, ends) = (list("frame_start")?, list("frame_end")?);
    let payload = column::<BinaryArray>(batch, "payload")?;
    let given = |array: &StringArray, row| (!array.is_null(row)).then(|| array.value(row).to_string());
    let number = |name: &str, value: i32| {
        u32::try_from(value).map_err(|_| format!("the column \"{name}\" holds {value}"))
    };
    let mut out = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let payload = payload.value(row).to_vec();
        let frames = frames(
            &numbers(times, row)?,
            &texts(events, row)?,
            &numbers(starts, row)?,
            &numbers(ends, row)?,
            payload.len(),
        )?;
        let name = framing.value(row);
        let broken = given(error_kind, row).map(|kind| match FailureKind::from_name(&kind) {
            Some(kind) => Ok(Failure::new(kind, given(error, row).unwrap_or_default())),
            None => Err(format!("the column \"error_kind\" holds \"{kind}\"")),
        });
        out.push(KeptReply {
            request_id: request_id.value(row).to_string(),
            attempt: number("attempt", attempt.value(row))?,
            status: u16::try_from(status.value(row))
                .map_err(|_| format!("the column \"status\" holds {}", status.value(row)))?,
            content_type: given(content_type, row),
            framing: FRAMINGS
                .iter()
                .find(|(_, known)| *known == name)
                .map(|(framing, _)| *framing)
                .ok_or_else(|| format!("the column \"framing\" holds \"{name}\""))?,
            sent: Nanos(sent.value(row)),
            broken: broken.transpose()?,
            labels: labels_at(labels, row)?,
            framed: Framed { payload, frames },
        });
    }
    Ok(out)
}

fn numbers(lists: &ListArray, row: usize) -> Result<Vec<i64>, String> {
    let list = lists.value(row);
    let list = list.as_any().downcast_ref::<Int64Array>().ok_or("a list of frames holds no numbers")?;
    Ok(list.values().to_vec())
}

fn texts(lists: &ListArray, row: usize) -> Result<Vec<Option<String>>, String> {
    let list = lists.value(row);
    let list = list.as_any().downcast_ref::<StringArray>().ok_or("a list of frames holds no texts")?;
    Ok(list.iter().map(|text| text.map(str::to_string)).collect())
}

/// The frames of one reply, if its lists agree with each other and with the payload.
fn frames(
    times: &[i64],
    events: &[Option<String>],
    starts: &[i64],
    ends: &[i64],
    payload: usize,
) -> Result<Vec<Frame>, String> {
    if [events.len(), starts.len(), ends.len()].iter().any(|length| *length != times.len()) {
        return Err("the lists of a reply's frames have different lengths".to_string());
    }
    let range = |at: usize| -> Option<Range<usize>> {
        let (start, end) = (usize::try_from(starts[at]).ok()?, usize::try_from(ends[at]).ok()?);
        (start <= end && end <= payload).then_some(start..end)
    };
    let frame = |at: usize| {
        let range = range(at).ok_or("a frame lies outside of its reply")?;
        Ok(Frame { at: Nanos(times[at]), event: events[at].clone(), range })
    };
    (0..times.len()).map(frame).collect()
}
