//! Rows of files that are kept by column: Parquet and Arrow.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use super::{Payload, Record, Rows, files};
use crate::contract::PartError;
use crate::panics::contain;

/// Rows that are decoded at a time: few, since a row may hold a picture.
const BATCH: usize = 32;

/// The rows of a Parquet file.
pub(super) fn parquet(path: &Path) -> Result<Rows, PartError> {
    let file = files::open(path)?;
    let wrong = |error: &dyn std::fmt::Display| PartError::InvalidData(unreadable(path, "Parquet", error));
    let open = || ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH).build();
    let batches = contain(open).map_err(|damage| wrong(&damage))?.map_err(|error| wrong(&error))?;
    Ok(rows(path.to_path_buf(), "Parquet", Box::new(batches)))
}

/// The rows of an Arrow file, or of an Arrow stream in a file.
pub(super) fn arrow(path: &Path) -> Result<Rows, PartError> {
    let mut file = files::open(path)?;
    let mut start = [0; 6];
    let is_file = file.read_exact(&mut start).is_ok() && &start == b"ARROW1";
    let wrong = |error: &dyn std::fmt::Display| PartError::InvalidData(unreadable(path, "Arrow", error));
    file.rewind().map_err(|error| wrong(&error))?;
    let buffered = std::io::BufReader::new(file);
    let batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send> = if is_file {
        let file = contain(|| FileReader::try_new(buffered, None)).map_err(|damage| wrong(&damage))?;
        Box::new(file.map_err(|error| match error {
            // The reader has looked for the end where there is no beginning.
            ArrowError::IoError(..) => wrong(&"it ends within itself"),
            error => wrong(&error),
        })?)
    } else {
        let stream = contain(|| StreamReader::try_new(buffered, None)).map_err(|damage| wrong(&damage))?;
        Box::new(stream.map_err(|error| wrong(&error))?)
    };
    Ok(rows(path.to_path_buf(), "Arrow", batches))
}

fn unreadable(path: &Path, kind: &str, error: &dyn std::fmt::Display) -> String {
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "the dataset file \"{}\" cannot be read as {kind}: {reason}; check --dataset-path",
        path.display()
    )
}

fn rows(
    path: PathBuf,
    kind: &'static str,
    mut batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
) -> Rows {
    let mut current: Option<(RecordBatch, usize)> = None;
    let mut at = 0;
    Box::new(std::iter::from_fn(move || {
        loop {
            match &mut current {
                Some((batch, next)) if *next < batch.num_rows() => {
                    let row = *next;
                    *next += 1;
                    at += 1;
                    let read = contain(|| record(batch, row, at));
                    return Some(read.unwrap_or_else(Err).map_err(|reason| {
                        format!("row {at} of the dataset file \"{}\" {reason}", path.display())
                    }));
                }
                _ => match contain(|| batches.next()) {
                    Ok(None) => return None,
                    Ok(Some(Ok(batch))) => current = Some((batch, 0)),
                    Ok(Some(Err(error))) => return Some(Err(unreadable(&path, kind, &error))),
                    Err(damage) => return Some(Err(unreadable(&path, kind, &damage))),
                },
            }
        }
    }))
}

fn record(batch: &RecordBatch, row: usize, at: u64) -> Result<Record, String> {
    let mut blobs = Vec::new();
    let mut cells = Map::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        cells.insert(field.name().clone(), cell(column.as_ref(), row, field.name(), &mut blobs)?);
    }
    Ok(Record { at, payload: Payload::Row(cells), blobs })
}

/// One cell as JSON. Bytes have no place in it: they go to `blobs` and leave a null.
fn cell(
    column: &dyn Array,
    row: usize,
    name: &str,
    blobs: &mut Vec<(String, Vec<u8>)>,
) -> Result<Value, String> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    macro_rules! number {
        ($kind:ty) => {
            Value::from(column.as_primitive::<$kind>().value(row))
        };
    }
    macro_rules! list {
        ($items:expr) => {{
            let items = $items;
            let cells = (0..items.len()).map(|item| cell(items.as_ref(), item, name, blobs));
            Value::Array(cells.collect::<Result<_, _>>()?)
        }};
    }
    macro_rules! moment {
        ($kind:ty, $per_second:expr) => {
            Value::from(column.as_primitive::<$kind>().value(row) as f64 / $per_second)
        };
    }
    let mut bytes = |bytes: &[u8]| {
        blobs.push((name.to_string(), bytes.to_vec()));
        Value::Null
    };
    Ok(match column.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float16 => Value::from(column.as_primitive::<Float16Type>().value(row).to_f64()),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(column.as_string_view().value(row)),
        DataType::Binary => bytes(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(column.as_binary_view().value(row)),
        DataType::List(_) => list!(column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list!(column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => list!(column.as_fixed_size_list().value(row)),
        DataType::Timestamp(TimeUnit::Second, _) => moment!(TimestampSecondType, 1.0),
        DataType::Timestamp(TimeUnit::Millisecond, _) => moment!(TimestampMillisecondType, 1e3),
        DataType::Timestamp(TimeUnit::Microsecond, _) => moment!(TimestampMicrosecondType, 1e6),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => moment!(TimestampNanosecondType, 1e9),
        DataType::Struct(_) => {
            let members = column.as_struct();
            let mut object = Map::new();
            for (field, member) in members.fields().iter().zip(members.columns()) {
                let inner = format!("{name}.{}", field.name());
                object.insert(field.name().clone(), cell(member.as_ref(), row, &inner, blobs)?);
            }
            Value::Object(object)
        }
        DataType::Dictionary(_, _) => {
            let one = column.slice(row, 1);
            let dictionary = one.as_any_dictionary();
            let key = dictionary.normalized_keys().first().copied().unwrap_or_default();
            cell(dictionary.values().as_ref(), key, name, blobs)?
        }
        other => {
            return Err(format!(
                "has a cell \"{name}\" of the type {other}, which is not read; convert the column to text"
            ));
        }
    })
}
