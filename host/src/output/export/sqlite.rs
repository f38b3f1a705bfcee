//! `requests.sqlite`: a table `requests` with a row for each record, and a table `metadata` with what the
//! Parquet file holds under the same keys. Lists and labels are JSON, which SQLite's `json_each` reads.

use std::path::Path;

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::super::schema::{COLUMNS, Kind};
use super::{Table, Value};

pub(super) struct Sqlite {
    connection: Connection,
    insert: String,
}

impl Sqlite {
    pub(super) fn create(path: &Path, metadata: &[(String, String)]) -> Result<Sqlite, String> {
        if path.exists() {
            std::fs::remove_file(path).map_err(|error| error.to_string())?;
        }
        let begin = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            // The file gets its name when it is complete: until then nobody needs it to survive anything.
            connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")?;
            connection
                .execute_batch("CREATE TABLE metadata (key TEXT NOT NULL, value TEXT NOT NULL) STRICT")?;
            for (key, value) in metadata {
                connection.execute("INSERT INTO metadata VALUES (?1, ?2)", [key, value])?;
            }
            let columns: Vec<String> = COLUMNS
                .iter()
                .map(|column| {
                    let null = if column.nullable { "" } else { " NOT NULL" };
                    format!("\"{}\" {}{null}", column.name, type_of(column.kind))
                })
                .collect();
            connection.execute_batch(&format!("CREATE TABLE requests ({}) STRICT", columns.join(", ")))?;
            Ok(connection)
        };
        let connection = begin().map_err(|error| error.to_string())?;
        let places = vec!["?"; COLUMNS.len()].join(", ");
        Ok(Sqlite { connection, insert: format!("INSERT INTO requests VALUES ({places})") })
    }
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag | Kind::Int32 | Kind::Int64 => "INTEGER",
        Kind::Double => "REAL",
        Kind::Text | Kind::Doubles | Kind::Int64s | Kind::Int32s | Kind::Labels => "TEXT",
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Flag(flag) => ToSqlOutput::Owned(Owned::Integer((*flag).into())),
            Value::Int(value) => ToSqlOutput::Owned(Owned::Integer(*value)),
            Value::Double(value) => ToSqlOutput::Owned(Owned::Real(*value)),
            nested => {
                let text = serde_json::to_string(nested);
                let text = text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                ToSqlOutput::Owned(Owned::Text(text))
            }
        })
    }
}

impl Table for Sqlite {
    fn rows(&mut self, rows: &[Vec<Value<'_>>]) -> Result<(), String> {
        let mut insert = self.connection.prepare(&self.insert).map_err(|error| error.to_string())?;
        rows.iter().try_for_each(|values| {
            insert.execute(params_from_iter(values)).map(|_| ()).map_err(|error| error.to_string())
        })
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        let ended = self.connection.execute_batch("COMMIT").map_err(|error| error.to_string());
        ended.and_then(|()| self.connection.close().map_err(|(_, error)| error.to_string()))
    }
}
