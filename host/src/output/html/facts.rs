//! What a run was: its configuration as names and values. Secrets were never in it.

use serde_json::{Value, json};

use crate::record::RunHeader;

/// A value longer than this is cut, in letters.
const LONG: usize = 400;

/// Names and values: the run itself, its plugins, and each setting that has a value.
pub(super) fn facts(run: &RunHeader) -> Vec<Value> {
    let mut out = vec![
        json!(["Run", run.run_id]),
        json!(["Started", run.started_at]),
        json!(["tickrate", run.tickrate_version]),
    ];
    for plugin in &run.plugins {
        let value = format!("{} {}, SHA-256 {}", plugin.name, plugin.version, plugin.sha256);
        out.push(json!([format!("Plugin ({})", plugin.role), value]));
    }
    flatten("", &run.config, &mut out);
    out
}

fn flatten(name: &str, value: &Value, out: &mut Vec<Value>) {
    let text = match value {
        Value::Null => return,
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(&name, value, out);
            }
            return;
        }
        Value::Array(items) if items.is_empty() => return,
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => plain(other),
    };
    let cut: String = text.chars().take(LONG).collect();
    out.push(json!([name, if cut.len() < text.len() { format!("{cut}…") } else { cut }]));
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
