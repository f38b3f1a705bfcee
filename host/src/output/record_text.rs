//! A record to read: a column a line, as far as the reply decides it.

use serde_json::{Map, Value};

use super::schema::COLUMNS;

/// Columns that say nothing about the reply, but about the run that it came in.
const OF_THE_RUN: [&str; 18] = [
    "run_id",
    "stage",
    "request_id",
    "attempt",
    "conversation_id",
    "turn",
    "conversation_turns",
    "input_turns",
    "worker",
    "dataset",
    "warmup",
    "due_ns",
    "sent_ns",
    "first_byte_ns",
    "dispatch_lag_ms",
    "bytes_out",
    "connection_reused",
    "stale_connections",
];
/// The most elements of a list, and the most letters of a text, that are shown.
const ELEMENTS: usize = 8;
const LETTERS: usize = 100;

/// The columns of a record, an object of `requests.jsonl`, that follow from the reply and are not null.
pub fn of_reply(record: &Map<String, Value>) -> String {
    let mut out = String::new();
    for column in COLUMNS.iter().filter(|column| !OF_THE_RUN.contains(&column.name)) {
        let value = record.get(column.name).unwrap_or(&Value::Null);
        if let Some(value) = shown(value) {
            out.push_str(&format!("  {:<20} {value}\n", column.name));
        }
    }
    out
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Object(labels) if labels.is_empty() => None,
        Value::Array(all) if all.is_empty() => None,
        Value::Array(all) => {
            let first: Vec<String> = all.iter().take(ELEMENTS).map(ToString::to_string).collect();
            let more =
                if all.len() > ELEMENTS { format!(", … ({} in all)", all.len()) } else { String::new() };
            Some(format!("{}{more}", first.join(", ")))
        }
        Value::String(text) => {
            let mut shown: String = text.chars().take(LETTERS).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            Some(Value::from(shown).to_string())
        }
        value => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{export, sample};
    use super::*;

    #[test]
    fn what_a_reply_decides_is_told_and_what_is_null_is_not() {
        let mut record = sample::success(0, 12);
        record.output = Some("é".repeat(101));
        record.finish_reason = None;
        let text = of_reply(&export::objects(&[record.clone()]).unwrap()[0]);
        let line = |name: &str| text.lines().find(|line| line.trim_start().starts_with(&format!("{name} ")));
        assert!(line("itl_ms").unwrap().ends_with(", … (11 in all)"), "{text}");
        assert!(line("output").unwrap().ends_with(&format!("\"{}…\"", "é".repeat(100))), "{text}");
        assert_eq!(line("ok").unwrap(), "  ok                   true");
        for absent in ["finish_reason", "error", "run_id", "due_ns"] {
            assert_eq!(line(absent), None, "{text}");
        }
    }

    #[test]
    fn each_name_is_one_of_a_column() {
        for name in OF_THE_RUN {
            assert!(COLUMNS.iter().any(|column| column.name == name), "{name}");
        }
    }
}
