//! Files of records: text lines, JSON, JSONL, CSV, Parquet and Arrow, plain or compressed with gzip
//! or zstd. Every one is read as it is needed and never as a whole.

mod columns;
mod delimited;
pub(super) mod files;
mod json;

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::contract::PartError;
pub use files::Place;
pub(super) use files::find;

/// The longest line or JSON value, in bytes. What is longer is no record.
const LONGEST: u64 = 1 << 30;

/// How a file divides into records, where its name does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Each line that is not blank.
    Lines,
    /// The items of a JSON array, or JSON values one after another.
    Json,
    /// The items of the array that is this member of a JSON object.
    Member(&'static str),
    /// Rows of comma-separated values below a row of names.
    Csv(u8),
    /// Rows of a Parquet file.
    Parquet,
    /// Rows of an Arrow file or stream.
    Arrow,
}

impl Format {
    /// What the file's name says, a compression's ending left out.
    pub(super) fn of(path: &Path, otherwise: Format) -> Format {
        let mut name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        for ending in [".gz", ".zst", ".zstd"] {
            if let Some(inner) = name.strip_suffix(ending) {
                name = inner.to_string();
            }
        }
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("json") if matches!(otherwise, Format::Lines | Format::Member(_)) => otherwise,
            Some("json") => Format::Json,
            Some("jsonl" | "ndjson" | "txt") => Format::Lines,
            Some("csv") if otherwise != Format::Lines => Format::Csv(b','),
            Some("tsv") if otherwise != Format::Lines => Format::Csv(b'\t'),
            Some("parquet") => Format::Parquet,
            Some("arrow") => Format::Arrow,
            _ => match otherwise {
                Format::Json => Format::Lines,
                other => other,
            },
        }
    }

    /// What one record is called in an error.
    fn unit(self) -> &'static str {
        match self {
            Format::Lines => "line",
            Format::Json | Format::Member(_) => "item",
            Format::Csv(_) | Format::Parquet | Format::Arrow => "row",
        }
    }
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Payload {
    /// Text as it stands in the file, JSON or not, without the white space around it.
    Text(String),
    /// A row of named cells.
    Row(Map<String, Value>),
}

/// One record of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// Its number, from 1; for text it is that of its line.
    pub(super) at: u64,
    /// What it holds.
    pub(super) payload: Payload,
    /// Cells that are bytes, under their column's name; those within a structure as `image.bytes`.
    pub(super) blobs: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The record's text; `None` for a row.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.payload {
            Payload::Text(text) => Some(text),
            Payload::Row(_) => None,
        }
    }

    /// The record as a `T`. A cell of a row may hold JSON, where its text is not what is wanted: CSV
    /// knows neither numbers nor lists. The error is the parser's own.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.payload {
            Payload::Text(text) => serde_json::from_str(text),
            Payload::Row(row) => serde_json::from_value(Value::Object(row.clone()))
                .or_else(|error| serde_json::from_value(unquoted(row)).map_err(|_| error)),
        }
    }

    /// The bytes of a column.
    pub(super) fn blob(&self, column: &str) -> Option<&[u8]> {
        self.blobs.iter().find(|(name, _)| name == column).map(|(_, bytes)| bytes.as_slice())
    }
}

/// A row whose cells are the JSON that they hold, where they hold any.
fn unquoted(row: &Map<String, Value>) -> Value {
    let cell = |value: &Value| match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    };
    Value::Object(row.iter().map(|(name, value)| (name.clone(), cell(value))).collect())
}

type Rows = Box<dyn Iterator<Item = Result<Record, String>> + Send>;

/// Files of records, one after another, and where reading them has come to.
pub(super) struct Source {
    files: Vec<PathBuf>,
    otherwise: Format,
    /// The file that is being read.
    file: usize,
    rows: Option<Rows>,
    /// The number of the record that was read last.
    at: u64,
}

impl Source {
    /// The files, each in the format that its name says, or else in `otherwise`. With
    /// [`Format::Lines`] JSON and CSV files are lines too. A file that cannot be opened is an error
    /// here and not only once it is read.
    pub(super) fn new(files: Vec<PathBuf>, otherwise: Format) -> Result<Source, PartError> {
        let mut source = Source { files, otherwise, file: 0, rows: None, at: 0 };
        source.open()?;
        Ok(source)
    }

    /// Starts again with the first file.
    pub(super) fn rewind(&mut self) -> Result<(), PartError> {
        (self.file, self.at) = (0, 0);
        self.open()
    }

    /// The file that is being read.
    pub(super) fn path(&self) -> &Path {
        self.files.get(self.file).or(self.files.last()).map_or(Path::new(""), PathBuf::as_path)
    }

    /// The next record; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Record>, PartError> {
        loop {
            let Some(rows) = &mut self.rows else { return Ok(None) };
            match rows.next() {
                Some(Ok(record)) => {
                    self.at = record.at;
                    return Ok(Some(record));
                }
                Some(Err(reason)) => {
                    self.rows = None;
                    return Err(PartError::InvalidData(reason));
                }
                None => {
                    self.file += 1;
                    self.at = 0;
                    self.open()?;
                }
            }
        }
    }

    /// An error about the record that was read last; `reason` goes on from "line 3 of the file".
    pub(super) fn bad(&self, reason: &str) -> PartError {
        PartError::InvalidData(format!(
            "{} {} of the dataset file \"{}\" {reason}",
            self.unit(),
            self.at,
            self.path().display()
        ))
    }

    /// What a record of the file at hand is called: a line, an item or a row.
    pub(super) fn unit(&self) -> &'static str {
        Format::of(self.path(), self.otherwise).unit()
    }

    fn open(&mut self) -> Result<(), PartError> {
        self.rows = match self.files.get(self.file) {
            None => None,
            Some(path) => Some(rows(path, Format::of(path, self.otherwise))?),
        };
        Ok(())
    }
}

fn rows(path: &Path, format: Format) -> Result<Rows, PartError> {
    match format {
        Format::Lines => Ok(Box::new(lines(path.to_path_buf(), files::reader(path)?))),
        Format::Json => Ok(Box::new(json::values(path.to_path_buf(), files::reader(path)?, None))),
        Format::Member(name) => {
            Ok(Box::new(json::values(path.to_path_buf(), files::reader(path)?, Some(name))))
        }
        Format::Csv(delimiter) => delimited::rows(path.to_path_buf(), files::reader(path)?, delimiter),
        Format::Parquet => columns::parquet(path),
        Format::Arrow => columns::arrow(path),
    }
}

fn lines(path: PathBuf, mut reader: Box<dyn BufRead + Send>) -> impl Iterator<Item = Result<Record, String>> {
    let mut at = 0;
    let mut buffer = Vec::new();
    std::iter::from_fn(move || {
        loop {
            buffer.clear();
            match (&mut reader).take(LONGEST).read_until(b'\n', &mut buffer) {
                Err(error) => return Some(Err(files::unreadable(&path, &error))),
                Ok(0) => return None,
                Ok(_) => {}
            }
            at += 1;
            let bad = |reason: &str| {
                Some(Err(format!("line {at} of the dataset file \"{}\" {reason}", path.display())))
            };
            if buffer.len() as u64 == LONGEST {
                return bad("is longer than 1 GiB; check --dataset-path");
            }
            let bytes = match at {
                1 => buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&buffer),
                _ => &buffer,
            };
            let Ok(text) = std::str::from_utf8(bytes) else {
                return bad("is not valid UTF-8; convert the file to UTF-8");
            };
            let text = text.trim();
            if !text.is_empty() {
                return Some(Ok(Record { at, payload: Payload::Text(text.to_string()), blobs: Vec::new() }));
            }
        }
    })
}

#[cfg(test)]
mod tests;
