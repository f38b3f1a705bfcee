//! Rows of CSV (RFC 4180), below a row of column names.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Payload, Record, Rows};
use crate::contract::PartError;

/// The rows of a file whose cells are divided by `delimiter`.
pub(super) fn rows(path: PathBuf, reader: Box<dyn BufRead + Send>, delimiter: u8) -> Result<Rows, PartError> {
    let quotes = Quotes { reader, delimiter, at: At::Begin, ended: false };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(quotes);
    let names: Vec<String> = match reader.headers() {
        Ok(names) => {
            names.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_string()).collect()
        }
        Err(error) => return Err(PartError::InvalidData(wrong(&path, &error))),
    };
    if reader.get_ref().is_open() {
        return Err(PartError::InvalidData(unclosed("the row of names", &path)));
    }
    let mut at = 0;
    let mut row = csv::StringRecord::new();
    Ok(Box::new(std::iter::from_fn(move || {
        at += 1;
        match reader.read_record(&mut row) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(error) => return Some(Err(wrong(&path, &error))),
        }
        // The end of the file is only seen in its last row.
        if reader.get_ref().is_open() {
            return Some(Err(unclosed(&format!("row {at}"), &path)));
        }
        let cells = names.iter().cloned().zip(row.iter().map(|cell| Value::String(cell.to_string())));
        Some(Ok(Record { at, payload: Payload::Row(cells.collect()), blobs: Vec::new() }))
    })))
}

fn wrong(path: &Path, error: &csv::Error) -> String {
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    format!("the dataset file \"{}\" is not valid CSV: {reason}; correct it there", path.display())
}

fn unclosed(row: &str, path: &Path) -> String {
    format!(
        "{row} of the dataset file \"{}\" begins a quote that is never closed; correct it there",
        path.display()
    )
}

/// Watches the quotes that go by: the reader of rows takes the end of the file for the end of one.
struct Quotes {
    reader: Box<dyn BufRead + Send>,
    delimiter: u8,
    at: At,
    ended: bool,
}

/// Where in a cell the last byte was.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Begin,
    Plain,
    Quoted,
    /// After a quote within quotes, which ends them unless another follows.
    Quote,
}

impl Quotes {
    /// Whether the file has ended within quotes.
    fn is_open(&self) -> bool {
        self.ended && self.at == At::Quoted
    }
}

impl Read for Quotes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.ended = read == 0 && !buffer.is_empty();
        for &byte in &buffer[..read] {
            self.at = match (self.at, byte) {
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) | (At::Begin | At::Quote, b'"') => At::Quoted,
                (_, b'\n' | b'\r') => At::Begin,
                (_, byte) if byte == self.delimiter => At::Begin,
                _ => At::Plain,
            };
        }
        Ok(read)
    }
}
