//! `--format`: the records of a stage in other formats, beside `requests.parquet` and made from it, row
//! by row.

mod csv;
mod jsonl;
mod sqlite;
mod value;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use self::value::{Columns, Value};
use super::rows::Rows;
use super::schema::{COLUMNS, has_records};
use super::{Output, OutputError, stored};
use crate::record::{Event, RequestRecord};

/// A format beside Parquet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `requests.csv`.
    Csv,
    /// `requests.jsonl`.
    Jsonl,
    /// `requests.sqlite`.
    Sqlite,
}

impl Format {
    /// The file of a stage's records in this format, in the stage's own folder.
    pub fn file(self) -> &'static str {
        match self {
            Format::Csv => "requests.csv",
            Format::Jsonl => "requests.jsonl",
            Format::Sqlite => "requests.sqlite",
        }
    }
}

/// Something that rows are written to.
trait Table {
    /// Appends rows, their values in the order of [`COLUMNS`](super::schema::COLUMNS).
    fn rows(&mut self, rows: &[Vec<Value<'_>>]) -> Result<(), String>;
    /// Completes the file.
    fn finish(self: Box<Self>) -> Result<(), String>;
}

/// Writes each stage's records in other formats when it is over.
#[derive(Debug)]
pub struct Export(Vec<Format>);

impl Export {
    /// An output for these formats.
    pub fn new(formats: Vec<Format>) -> Export {
        Export(formats)
    }
}

impl Output for Export {
    fn name(&self) -> &'static str {
        "format"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::StageFinished(stage, _) if has_records(&stage.folder) => write(&stage.folder, &self.0),
            _ => Ok(()),
        }
    }
}

/// Writes the records of the stage in `folder` in each of `formats`, in one pass over them and in memory
/// that does not grow with them. A file gets its name when it is complete.
///
/// # Errors
/// If there are no records, or a file cannot be written.
pub fn write(folder: &Path, formats: &[Format]) -> Result<(), OutputError> {
    if formats.is_empty() {
        return Ok(());
    }
    let mut stage = stored::rows(folder)?;
    let metadata = std::mem::take(&mut stage.metadata);
    let mut open: Vec<(PathBuf, PathBuf, Box<dyn Table>)> = Vec::new();
    for format in formats {
        let path = folder.join(format.file());
        let partial = folder.join(format!("{}.partial", format.file()));
        let table: Result<Box<dyn Table>, String> = match format {
            Format::Csv => csv::Csv::create(&partial).map(|table| Box::new(table) as Box<dyn Table>),
            Format::Jsonl => jsonl::Jsonl::create(&partial).map(|table| Box::new(table) as Box<dyn Table>),
            Format::Sqlite => sqlite::Sqlite::create(&partial, &metadata).map(|table| Box::new(table) as _),
        };
        let table = table.map_err(|error| unwritable(&partial, &error))?;
        open.push((path, partial, table));
    }
    for batch in stage {
        let batch = batch?;
        let columns = Columns::of(&batch).map_err(|error| unwritable(folder, &error))?;
        let rows: Vec<_> = (0..batch.num_rows()).map(|row| columns.row(row)).collect();
        for (_, partial, table) in &mut open {
            table.rows(&rows).map_err(|error| unwritable(partial, &error))?;
        }
    }
    for (path, partial, table) in open {
        let finished = table.finish().and_then(|()| fs::rename(&partial, &path).map_err(|e| e.to_string()));
        finished.map_err(|error| unwritable(&partial, &error))?;
    }
    Ok(())
}

/// Records as JSON objects: the lines of `requests.jsonl`, null where nothing was measured.
///
/// # Errors
/// If a record cannot be a row.
pub fn objects(records: &[RequestRecord]) -> Result<Vec<Map<String, Json>>, OutputError> {
    let mut rows = Rows::new();
    records.iter().for_each(|record| rows.push(record));
    let made = rows.finish().map_err(|error| error.to_string()).and_then(|batch| {
        let columns = Columns::of(&batch)?;
        let object = |row| {
            let values = columns.row(row).into_iter().map(serde_json::to_value);
            let names = COLUMNS.iter().map(|column| column.name.to_string());
            let pairs = names.zip(values).map(|(name, value)| Ok((name, value?)));
            pairs.collect::<Result<Map<_, _>, serde_json::Error>>().map_err(|error| error.to_string())
        };
        (0..batch.num_rows()).map(object).collect()
    });
    made.map_err(|error| OutputError(format!("a record cannot be written: {error}; report this as a bug")))
}

fn unwritable(path: &Path, error: &str) -> OutputError {
    let path = path.display();
    OutputError(format!(
        "could not write \"{path}\": {error}; free some space and use tickrate report --format"
    ))
}
