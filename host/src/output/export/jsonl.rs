//! `requests.jsonl`: an object for each record, with every column.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::schema::COLUMNS;
use super::{Table, Value};

pub(super) struct Jsonl(BufWriter<File>);

impl Jsonl {
    pub(super) fn create(path: &Path) -> Result<Jsonl, String> {
        File::create(path).map(|file| Jsonl(BufWriter::new(file))).map_err(|error| error.to_string())
    }
}

/// A row under the names of its columns.
struct Named<'a>(&'a [Value<'a>]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in COLUMNS.iter().zip(self.0) {
            map.serialize_entry(column.name, value)?;
        }
        map.end()
    }
}

impl Table for Jsonl {
    fn rows(&mut self, rows: &[Vec<Value<'_>>]) -> Result<(), String> {
        rows.iter().try_for_each(|values| {
            serde_json::to_writer(&mut self.0, &Named(values)).map_err(|error| error.to_string())?;
            self.0.write_all(b"\n").map_err(|error| error.to_string())
        })
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.0.flush().map_err(|error| error.to_string())
    }
}
