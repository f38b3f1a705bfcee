//! The columns of `requests.parquet`: their names, types, units and meanings, in one table that the
//! writer, the reader and `docs/records.md` share. The names say the units.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The file that a stage's records end in, in the stage's own folder.
pub const RECORDS_FILE: &str = "requests.parquet";
/// The file that they are kept in while the stage runs.
pub const JOURNAL_FILE: &str = "requests.journal";

/// Whether the records of the stage in `folder` are complete. Where they are not, whoever failed to write
/// them has said so.
pub fn has_records(folder: &std::path::Path) -> bool {
    folder.join(RECORDS_FILE).exists()
}

/// Metadata key: the [`RunHeader`](crate::record::RunHeader) as JSON.
pub const RUN_KEY: &str = "tickrate.run";
/// Metadata key: the [`StageHeader`](crate::record::StageHeader) as JSON.
pub const STAGE_KEY: &str = "tickrate.stage";
/// Metadata key: the [`StageEnd`](crate::record::StageEnd) as JSON, with the client's health; it is
/// missing where the stage was cut short and recovered.
pub const END_KEY: &str = "tickrate.end";
/// Metadata key: the version of tickrate that wrote the file.
pub const VERSION_KEY: &str = "tickrate.version";
/// Metadata key: `true` in a file that was made from the journal of a run that was cut short.
pub const RECOVERED_KEY: &str = "tickrate.recovered";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// True or false.
    Flag,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// A double.
    Double,
    /// A list of doubles.
    Doubles,
    /// A list of 64-bit integers.
    Int64s,
    /// A list of 32-bit integers, single ones of which may be null.
    Int32s,
    /// Pairs of a name and a value.
    Labels,
}

impl Kind {
    /// The type in Arrow.
    pub fn data_type(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::Flag => DataType::Boolean,
            Kind::Int32 => DataType::Int32,
            Kind::Int64 => DataType::Int64,
            Kind::Double => DataType::Float64,
            Kind::Doubles => DataType::List(element(DataType::Float64, false)),
            Kind::Int64s => DataType::List(element(DataType::Int64, false)),
            Kind::Int32s => DataType::List(element(DataType::Int32, true)),
            Kind::Labels => DataType::Map(
                Arc::new(Field::new(MAP_NAMES.0, DataType::Struct(label_fields()), false)),
                false,
            ),
        }
    }

    /// The type as DuckDB writes it.
    pub fn sql(self) -> &'static str {
        match self {
            Kind::Text => "VARCHAR",
            Kind::Flag => "BOOLEAN",
            Kind::Int32 => "INTEGER",
            Kind::Int64 => "BIGINT",
            Kind::Double => "DOUBLE",
            Kind::Doubles => "DOUBLE[]",
            Kind::Int64s => "BIGINT[]",
            Kind::Int32s => "INTEGER[]",
            Kind::Labels => "MAP(VARCHAR, VARCHAR)",
        }
    }
}

/// The names that the parts of a map go by: its entries, their keys and their values.
pub(super) const MAP_NAMES: (&str, &str, &str) = ("key_value", "key", "value");

/// The element of a list, under the name that the Parquet specification gives it.
pub(super) fn element(data_type: DataType, nullable: bool) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, nullable))
}

fn label_fields() -> arrow::datatypes::Fields {
    vec![Field::new(MAP_NAMES.1, DataType::Utf8, false), Field::new(MAP_NAMES.2, DataType::Utf8, false)]
        .into()
}

/// One column of `requests.parquet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is null where the value was not measured or does not apply; others never are.
    pub nullable: bool,
    /// The unit; empty where there is none.
    pub unit: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
}

pub(super) const fn always(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    meaning: &'static str,
) -> Column {
    Column { name, kind, nullable: false, unit, meaning }
}

pub(super) const fn maybe(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    meaning: &'static str,
) -> Column {
    Column { name, kind, nullable: true, unit, meaning }
}

use Kind::{Double, Doubles, Flag, Int32, Int32s, Int64, Int64s, Labels, Text};

/// The unit of moments: nanoseconds since the start of the run.
pub(super) const MOMENT: &str = "ns since run start";

/// The columns, in their order in the file.
pub const COLUMNS: [Column; 50] = [
    always("run_id", Text, "", "the run"),
    always("stage", Text, "", "the stage's name, which is its folder's"),
    always("request_id", Text, "", "unique within the run; sent as the `X-Request-ID` header"),
    always("attempt", Int32, "count from 1", "which attempt at the request this is"),
    always("conversation_id", Text, "", "the conversation that the request is a turn of"),
    always("turn", Int32, "count from 0", "the position of the turn in its conversation"),
    always(
        "conversation_turns",
        Int32,
        "count",
        "the turns that the conversation has, those to come included; 1 for a request that is none",
    ),
    always("input_turns", Int32, "count", "user turns in the context when it was sent, this one included"),
    always("worker", Int32, "index from 0", "the client's worker thread that made the request"),
    always("api", Text, "", "the API's name"),
    always("dataset", Text, "", "the dataset's name"),
    always("model", Text, "", "the model's name as the server knows it"),
    always("warmup", Flag, "", "whether it is part of the warm-up, which no figure of the stage includes"),
    always("due_ns", Int64, MOMENT, "when the schedule wanted the request sent"),
    maybe("sent_ns", Int64, MOMENT, "when it was handed to the socket; null if it never was"),
    maybe("first_byte_ns", Int64, MOMENT, "when the head of the reply had come"),
    maybe(
        "first_token_ns",
        Int64,
        MOMENT,
        "when the first frame that carried output was read; streamed replies only",
    ),
    maybe(
        "first_answer_ns",
        Int64,
        MOMENT,
        "when the first frame of the answer itself was read, after any reasoning",
    ),
    maybe(
        "last_token_ns",
        Int64,
        MOMENT,
        "when the last frame that carried output was read; streamed replies only",
    ),
    always(
        "completed_ns",
        Int64,
        MOMENT,
        "when the answer was complete: the last token of a streamed success, else `closed_ns`",
    ),
    always("closed_ns", Int64, MOMENT, "when the exchange was over"),
    maybe("dispatch_lag_ms", Double, "ms", "sent − due: how late the client sent it"),
    maybe("ttft_ms", Double, "ms", "first token − sent"),
    maybe("latency_ms", Double, "ms", "completed − sent"),
    maybe(
        "tpot_ms",
        Double,
        "ms per token",
        "(latency − TTFT) ÷ (output tokens − 1), where there is more than one",
    ),
    maybe(
        "time_per_token_ms",
        Double,
        "ms per token",
        "(last token − first token) ÷ (output tokens − tokens of the first frame)",
    ),
    maybe(
        "itl_ms",
        Doubles,
        "ms",
        "the intervals between successive frames that carried output; null where none did",
    ),
    maybe("frame_ns", Int64s, MOMENT, "when each frame that carried output was read; null where none did"),
    maybe(
        "frame_tokens",
        Int32s,
        "tokens",
        "tokens in each frame of `frame_ns`, null elements where unknown; null where none is known",
    ),
    maybe(
        "bare_choice_ns",
        Int64s,
        MOMENT,
        "when each message came that had a choice in it and no output: a role, a finish reason; null where none did",
    ),
    maybe(
        "bare_event_ns",
        Int64s,
        MOMENT,
        "when each other message without output came, such as the usage; null where none did",
    ),
    maybe("input_tokens", Int64, "tokens", "tokens of the prompt, cached ones included"),
    maybe("output_tokens", Int64, "tokens", "tokens generated, reasoning included"),
    maybe("reasoning_tokens", Int64, "tokens", "those of the output that were reasoning"),
    maybe("cached_tokens", Int64, "tokens", "those of the input that the server took from its prefix cache"),
    maybe(
        "cached_tokens_source",
        Text,
        "",
        "who says so: the `server`; or `estimated`, where it is silent: what it had seen of the conversation",
    ),
    maybe(
        "token_source",
        Text,
        "",
        "where the counts come from: `server`, `tokenizer` or `server+tokenizer`",
    ),
    always("frames", Int64, "count", "frames of any kind in the reply"),
    always("bytes_in", Int64, "bytes", "the reply's body"),
    always("bytes_out", Int64, "bytes", "the request's body"),
    maybe("connection_reused", Flag, "", "whether the connection had been used before"),
    always(
        "stale_connections",
        Int64,
        "count",
        "kept connections on which the server had hung up before the request went out on this one",
    ),
    maybe("status", Int32, "HTTP status", "the reply's status"),
    always("ok", Flag, "", "whether the request succeeded"),
    maybe(
        "error_kind",
        Text,
        "",
        "what kind of failure it was, in the words of the table of errors; null for a success",
    ),
    maybe("error", Text, "", "what exactly went wrong; null for a success"),
    maybe("finish_reason", Text, "", "why the server stopped: `stop`, `length`, `tool_calls`"),
    always(
        "labels",
        Labels,
        "",
        "labels from the dataset and the API; of two with one name the later is kept",
    ),
    maybe("prompt", Text, "", "the prompt as it was sent, with `--save-text`"),
    maybe("output", Text, "", "the output, with `--save-text`"),
];

/// The Arrow schema of the columns.
pub fn schema() -> SchemaRef {
    schema_of(&COLUMNS)
}

/// The Arrow schema of a table with these columns.
pub(super) fn schema_of(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, column.kind.data_type(), column.nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A table of columns as it stands in `docs/records.md`.
pub fn markdown(columns: &[Column]) -> String {
    let mut out =
        String::from("| column | type | unit | null | meaning |\n| --- | --- | --- | --- | --- |\n");
    for Column { name, kind, nullable, unit, meaning } in columns {
        let null = if *nullable { "yes" } else { "" };
        out += &format!("| `{name}` | {} | {unit} | {null} | {meaning} |\n", kind.sql());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::server_metrics::SERVER_METRICS_COLUMNS;
    use super::super::timeline::TIMELINE_COLUMNS;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/records.md");

    /// The tables of the document, by the names in their marks.
    const TABLES: [(&str, &[Column]); 3] = [
        ("columns", &COLUMNS),
        ("timeline columns", &TIMELINE_COLUMNS),
        ("server metrics columns", &SERVER_METRICS_COLUMNS),
    ];

    #[test]
    fn the_documentation_lists_exactly_these_columns() {
        let mut text = std::fs::read_to_string(DOCUMENT).unwrap();
        for (name, columns) in TABLES {
            let begin = format!("<!-- {name}: written by UPDATE_DOCS=1 cargo test output::schema -->\n");
            let end = format!("<!-- end of {name} -->");
            let start =
                text.find(&begin).expect("docs/records.md has lost a mark before a table") + begin.len();
            let end = text.find(&end).expect("docs/records.md has lost a mark after a table");
            if std::env::var_os("UPDATE_DOCS").is_some() {
                text.replace_range(start..end, &markdown(columns));
                continue;
            }
            assert_eq!(&text[start..end], markdown(columns), "run UPDATE_DOCS=1 cargo test output::schema");
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(DOCUMENT, text).unwrap();
        }
    }

    #[test]
    fn every_name_is_its_own_and_says_its_unit() {
        for (_, columns) in TABLES {
            let mut names: Vec<_> = columns.iter().map(|column| column.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), columns.len());
            for column in columns {
                assert_eq!(column.unit == MOMENT, column.name.ends_with("_ns"), "{}", column.name);
                assert_eq!(column.unit.starts_with("ms"), column.name.ends_with("_ms"), "{}", column.name);
            }
        }
    }
}
