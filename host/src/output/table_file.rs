//! A Parquet file of a table whose rows are made one by one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::OutputError;
use super::cells::{Builder, Cell};
use super::journal::reason;
use super::schema::{Column, VERSION_KEY, schema_of};

/// How many rows wait before they are encoded.
const WAITING: usize = 8192;

/// A file in the making. It gets its name when it is complete; until then it has `.partial` behind it.
pub(super) struct TableFile {
    path: PathBuf,
    partial: PathBuf,
    columns: &'static [Column],
    builders: Vec<Builder>,
    waiting: usize,
    writer: ArrowWriter<File>,
}

impl TableFile {
    /// Begins the file at `path`; `metadata` is written beside the version of tickrate.
    pub(super) fn create(
        path: &Path,
        columns: &'static [Column],
        metadata: &[(&str, String)],
    ) -> Result<TableFile, OutputError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let failed = |error: ParquetError| unwritable(&partial, &error);
        let version = (VERSION_KEY, env!("CARGO_PKG_VERSION").to_string());
        let pairs = metadata.iter().cloned().chain([version]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(
                pairs.map(|(key, value)| KeyValue::new(key.into(), value)).collect(),
            ))
            .build();
        let file = File::create(&partial).map_err(|error| failed(error.into()))?;
        let writer = ArrowWriter::try_new(file, schema_of(columns), Some(properties)).map_err(failed)?;
        let builders = columns.iter().map(|column| Builder::new(column.kind)).collect();
        Ok(TableFile { path: path.to_path_buf(), partial, columns, builders, waiting: 0, writer })
    }

    /// Appends a row: a cell for each column.
    pub(super) fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<(), OutputError> {
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            builder.push(&cell);
        }
        self.waiting += 1;
        if self.waiting == WAITING { self.encode() } else { Ok(()) }
    }

    fn encode(&mut self) -> Result<(), OutputError> {
        self.waiting = 0;
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(schema_of(self.columns), columns).map_err(ParquetError::from);
        let written = batch.and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| unwritable(&self.partial, &error))
    }

    /// Completes the file.
    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        self.encode()?;
        let closed = self.writer.close().map(|_| ());
        let named = closed.and_then(|()| Ok(fs::rename(&self.partial, &self.path)?));
        named.map_err(|error| unwritable(&self.partial, &error))
    }
}

fn unwritable(path: &Path, error: &ParquetError) -> OutputError {
    OutputError(format!("could not write \"{}\": {}; free some space", path.display(), reason(error)))
}
