//! Batches → `requests.parquet`, on several threads and in memory that does not grow with the file.
//! The columns are dealt to lanes: each is a thread that encodes its columns of every batch. One more
//! thread puts what the lanes made of a row group into the file, while they go on with the next.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::schema::{COLUMNS, Column, Kind, schema};

/// A row group ends after this many rows,
const GROUP_ROWS: usize = 64 << 10;
/// or after this many bytes, as they are before they are encoded, whichever comes first. It bounds
/// the memory of a conversion.
const GROUP_BYTES: usize = 12 << 20;
/// How many batches may wait for a lane.
const WAITING: usize = 2;
/// How many row groups a lane may be ahead of the file.
const AHEAD: usize = 1;
/// The most lanes that are of any use: most of the work is in three columns.
const MOST_LANES: usize = 3;

/// Writes all batches, which are of [`schema`], to `path` and waits until they are on the disk.
/// Returns the number of rows.
pub(super) fn write(
    batches: &mut impl Iterator<Item = RecordBatch>,
    path: &Path,
    metadata: Vec<KeyValue>,
) -> Result<u64, ParquetError> {
    let writer = ArrowWriter::try_new(File::create(path)?, schema(), Some(properties(metadata)))?;
    let (mut file, factory) = writer.into_serialized_writer()?;
    let count = thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_LANES));
    let rows = thread::scope(|scope| {
        let mut lanes = Vec::new();
        let mut finished = Vec::new();
        for columns in deal(count) {
            let (work, given) = sync_channel(WAITING);
            let (chunks, made) = sync_channel(AHEAD);
            let encoded = columns.clone();
            let thread = thread::Builder::new()
                .name("encode".into())
                .spawn_scoped(scope, move || encode(&encoded, &given, &chunks))?;
            lanes.push(Lane { columns, work, thread });
            finished.push(made);
        }
        let file = &mut file;
        let appending = thread::Builder::new()
            .name("append".into())
            .spawn_scoped(scope, move || append(file, &finished))?;
        let fed = feed(batches, &lanes, &factory);
        // A lane ends when it can get nothing more; the last thread ends when all lanes have.
        let encoded: Vec<Result<(), ParquetError>> = lanes.into_iter().map(Lane::end).collect();
        joined(appending)?;
        encoded.into_iter().collect::<Result<(), ParquetError>>()?;
        fed
    })?;
    file.into_inner()?.sync_all()?;
    Ok(rows)
}

/// A thread that encodes some of the columns.
struct Lane<'scope> {
    columns: Vec<usize>,
    work: SyncSender<Work>,
    thread: ScopedJoinHandle<'scope, Result<(), ParquetError>>,
}

impl Lane<'_> {
    fn end(self) -> Result<(), ParquetError> {
        drop(self.work);
        joined(self.thread)
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, ParquetError>>) -> Result<T, ParquetError> {
    thread.join().unwrap_or_else(|_| Err(ParquetError::General("a thread that encodes panicked".into())))
}

/// What a lane is to do.
enum Work {
    /// Begin a row group with these writers, one for each leaf of the lane's columns.
    Begin(Vec<ArrowColumnWriter>),
    /// Encode the lane's columns of a batch.
    Encode(RecordBatch),
    /// End the row group.
    End,
}

/// A column's place in the file, and what it became in a row group.
type Chunk = (usize, ArrowColumnChunk);

/// Deals the columns to `lanes` lanes, so that each has about as much to do.
fn deal(lanes: usize) -> Vec<Vec<usize>> {
    let effort = |at: usize| match COLUMNS[at].kind {
        // There are hardly any values in them.
        _ if COLUMNS[at].name.starts_with("bare_") => 2,
        Kind::Doubles | Kind::Int64s => 12,
        Kind::Int32s => 8,
        Kind::Labels => 2,
        _ => 1,
    };
    let mut dealt = vec![(0, Vec::new()); lanes.max(1)];
    let mut columns: Vec<usize> = (0..COLUMNS.len()).collect();
    columns.sort_by_key(|&at| std::cmp::Reverse(effort(at)));
    for at in columns {
        if let Some((load, lane)) = dealt.iter_mut().min_by_key(|(load, _)| *load) {
            *load += effort(at);
            lane.push(at);
        }
    }
    dealt.iter_mut().for_each(|(_, lane)| lane.sort_unstable());
    dealt.into_iter().map(|(_, lane)| lane).collect()
}

/// Hands every batch to all lanes and says where row groups begin and end. It stops early when a lane
/// is gone; the lane itself says why. Returns the number of rows.
fn feed(
    batches: &mut impl Iterator<Item = RecordBatch>,
    lanes: &[Lane<'_>],
    factory: &ArrowRowGroupWriterFactory,
) -> Result<u64, ParquetError> {
    let (mut rows, mut group, mut filled) = (0, 0, None);
    for batch in batches {
        let (group_rows, group_bytes) = match filled {
            Some(filled) => filled,
            None => {
                begin(lanes, factory.create_column_writers(group)?);
                group += 1;
                (0, 0)
            }
        };
        rows += batch.num_rows() as u64;
        let group_rows = group_rows + batch.num_rows();
        let group_bytes = group_bytes + size(&batch)?;
        for lane in lanes {
            if lane.work.send(Work::Encode(batch.project(&lane.columns)?)).is_err() {
                return Ok(rows);
            }
        }
        filled = Some((group_rows, group_bytes));
        if group_rows >= GROUP_ROWS || group_bytes >= GROUP_BYTES {
            end(lanes);
            filled = None;
        }
    }
    if filled.is_some() {
        end(lanes);
    }
    Ok(rows)
}

/// Gives each lane the writers of its columns. A lane that is gone is noticed with the next batch.
fn begin(lanes: &[Lane<'_>], writers: Vec<ArrowColumnWriter>) {
    let mut given: Vec<Vec<ArrowColumnWriter>> = lanes.iter().map(|_| Vec::new()).collect();
    let mut writers = writers.into_iter();
    for (at, column) in COLUMNS.iter().enumerate() {
        let lane = lanes.iter().position(|lane| lane.columns.contains(&at)).unwrap_or(0);
        given[lane].extend(writers.by_ref().take(leaves(column.kind)));
    }
    for (lane, writers) in lanes.iter().zip(given) {
        let _ = lane.work.send(Work::Begin(writers));
    }
}

fn end(lanes: &[Lane<'_>]) {
    for lane in lanes {
        let _ = lane.work.send(Work::End);
    }
}

/// How many columns of Parquet a column of ours is.
fn leaves(kind: Kind) -> usize {
    if kind == Kind::Labels { 2 } else { 1 }
}

/// The bytes of a batch's values.
fn size(batch: &RecordBatch) -> Result<usize, ParquetError> {
    batch.columns().iter().try_fold(0, |sum, column| Ok(sum + column.to_data().get_slice_memory_size()?))
}

/// The work of a lane. It ends when there is no more of it, or nobody to take what it made.
fn encode(
    columns: &[usize],
    work: &Receiver<Work>,
    chunks: &SyncSender<Vec<Chunk>>,
) -> Result<(), ParquetError> {
    let places: Vec<usize> =
        columns.iter().flat_map(|&at| std::iter::repeat_n(at, leaves(COLUMNS[at].kind))).collect();
    let mut writers = Vec::new();
    for work in work {
        match work {
            Work::Begin(given) => writers = given,
            Work::Encode(batch) => {
                let mut writers = writers.iter_mut();
                for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                    for (leaf, writer) in compute_leaves(field, column)?.iter().zip(writers.by_ref()) {
                        writer.write(leaf)?;
                    }
                }
            }
            Work::End => {
                let ended = std::mem::take(&mut writers).into_iter();
                let made = places.iter().zip(ended).map(|(&at, writer)| Ok((at, writer.close()?)));
                if chunks.send(made.collect::<Result<_, ParquetError>>()?).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Puts row group after row group into the file, until a lane has no more of them.
fn append(
    file: &mut SerializedFileWriter<File>,
    finished: &[Receiver<Vec<Chunk>>],
) -> Result<(), ParquetError> {
    loop {
        let mut chunks = Vec::new();
        for lane in finished {
            let Ok(made) = lane.recv() else { return Ok(()) };
            chunks.extend(made);
        }
        // It is stable: a column's leaves come from one lane and stay in order.
        chunks.sort_by_key(|(at, _)| *at);
        let mut group = file.next_row_group()?;
        for (_, chunk) in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        file.flush()?;
        write_back(file.inner());
    }
}

/// Has the system begin to put on the disk what is in the file so far, so that there is little left to wait
/// for at the end. Where the system will not, the end takes longer.
fn write_back(file: &File) {
    // SAFETY: a plain system call on a descriptor that is open.
    let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Moments and measured spans are all different and hardly fill a dictionary; they get the encodings
/// that suit them. Texts get none either, so that a row group's size says what reading it will take.
fn properties(metadata: Vec<KeyValue>) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata));
    for column in COLUMNS {
        let mut path = vec![column.name.to_string()];
        let list = matches!(column.kind, Kind::Doubles | Kind::Int64s | Kind::Int32s);
        if list {
            path.extend(["list".to_string(), "element".to_string()]);
        }
        let path = ColumnPath::new(path);
        let encoding = match column.kind {
            Kind::Int64s | Kind::Int32s => Some(Encoding::DELTA_BINARY_PACKED),
            Kind::Int64 if column.name.ends_with("_ns") => Some(Encoding::DELTA_BINARY_PACKED),
            Kind::Double | Kind::Doubles => Some(Encoding::BYTE_STREAM_SPLIT),
            Kind::Text if matches!(column.name, "request_id" | "prompt" | "output") => Some(Encoding::PLAIN),
            _ => None,
        };
        if !gains_by_zstd(&column) {
            properties = properties.set_column_compression(path.clone(), Compression::SNAPPY);
        }
        if let Some(encoding) = encoding {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), encoding);
        }
        if list {
            // Nobody looks for a row by the smallest and largest of its frames.
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    properties.build()
}

/// Whether a column is so much smaller with zstd than with snappy that it is worth the time. The moments and
/// spans of frames are not: packed as they are, what is left of them is chance, and what is not (the upper
/// bytes of doubles) snappy finds too. For small pages the context that zstd makes for each is most of the work.
fn gains_by_zstd(column: &Column) -> bool {
    match column.kind {
        Kind::Int32s | Kind::Labels => true,
        Kind::Text => {
            matches!(column.name, "request_id" | "conversation_id" | "error" | "prompt" | "output")
        }
        Kind::Flag | Kind::Int32 | Kind::Int64 | Kind::Double | Kind::Doubles | Kind::Int64s => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_dealt_once_however_many_lanes_there_are() {
        for lanes in 1..=MOST_LANES {
            let dealt = deal(lanes);
            assert_eq!(dealt.len(), lanes);
            assert!(dealt.iter().all(|lane| lane.is_sorted() && !lane.is_empty()));
            let mut all = dealt.concat();
            all.sort_unstable();
            assert_eq!(all, (0..COLUMNS.len()).collect::<Vec<_>>());
        }
    }
}
