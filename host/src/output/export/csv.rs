//! `requests.csv`: a header, and a line for each record. Null is empty; lists and labels are JSON.

use std::fs::File;
use std::path::Path;

use csv::{ByteRecord, Writer};

use super::super::schema::COLUMNS;
use super::{Table, Value};

pub(super) struct Csv {
    writer: Writer<File>,
    line: ByteRecord,
}

impl Csv {
    pub(super) fn create(path: &Path) -> Result<Csv, String> {
        let file = File::create(path).map_err(|error| error.to_string())?;
        let mut writer = Writer::from_writer(file);
        writer.write_record(COLUMNS.iter().map(|column| column.name)).map_err(|error| error.to_string())?;
        Ok(Csv { writer, line: ByteRecord::new() })
    }
}

impl Table for Csv {
    fn rows(&mut self, rows: &[Vec<Value<'_>>]) -> Result<(), String> {
        rows.iter().try_for_each(|values| self.row(values))
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.writer.flush().map_err(|error| error.to_string())
    }
}

impl Csv {
    fn row(&mut self, values: &[Value<'_>]) -> Result<(), String> {
        self.line.clear();
        for value in values {
            match value {
                Value::Null => self.line.push_field(b""),
                Value::Text(text) => self.line.push_field(text.as_bytes()),
                value => {
                    let text = serde_json::to_vec(value).map_err(|error| error.to_string())?;
                    self.line.push_field(&text);
                }
            }
        }
        self.writer.write_byte_record(&self.line).map_err(|error| error.to_string())
    }
}
