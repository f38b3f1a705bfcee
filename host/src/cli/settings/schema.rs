//! The JSON Schema of configuration files, derived from the flags.

use serde_json::{Map, Value, json};

use super::flag::{Flag, Takes, Type};

/// The schema of a file that sets any of `flags`, each under its long name.
pub(super) fn schema(flags: &[Flag]) -> Value {
    let mut properties = Map::new();
    properties.insert("$schema".into(), json!({"type": "string", "description": "Where this schema is"}));
    for flag in flags.iter().filter(|flag| flag.name != "config") {
        properties.insert(flag.name.clone(), property(flag));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tickrate perf",
        "description": "The file of tickrate perf --config: every flag under its long name, in YAML, TOML or JSON",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(flag: &Flag) -> Value {
    let mut out = Map::new();
    out.insert("description".into(), json!(format!("{}: {}", flag.heading, flag.about.replace('\n', " "))));
    let one = single(flag);
    match flag.takes {
        Takes::Nothing => {
            out.insert("type".into(), json!("boolean"));
        }
        Takes::One => out.extend(one),
        Takes::OneOrNothing => {
            out.insert("anyOf".into(), json!([{"type": "boolean"}, one]));
        }
        Takes::Many(most) => {
            let mut list = Map::new();
            list.insert("type".into(), json!("array"));
            list.insert("items".into(), Value::Object(one.clone()));
            if most < usize::MAX {
                list.insert("maxItems".into(), json!(most));
            }
            let mut forms = vec![Value::Object(one), Value::Object(list)];
            if flag.pair.is_some() {
                forms.push(json!({
                    "type": "object",
                    "additionalProperties": {"type": ["string", "number", "boolean"]},
                }));
            }
            out.insert("anyOf".into(), Value::Array(forms));
        }
    }
    let defaults: Vec<Value> = flag.defaults.iter().map(|text| typed(flag, text)).collect();
    match (flag.takes, &defaults[..]) {
        (Takes::Nothing, _) => {
            out.insert("default".into(), json!(false));
        }
        (_, [one]) => {
            out.insert("default".into(), one.clone());
        }
        (_, []) => {}
        (_, many) => {
            out.insert("default".into(), json!(many));
        }
    }
    Value::Object(out)
}

/// What one value of a flag is.
fn single(flag: &Flag) -> Map<String, Value> {
    let type_ = match flag.type_ {
        Type::Integer => json!("integer"),
        Type::Number => json!("number"),
        Type::Json => json!(["object", "array", "string"]),
        // A name such as 2024 need not be put in quotes.
        Type::Text if flag.choices.is_empty() => json!(["string", "number"]),
        Type::Text => json!("string"),
    };
    let mut out = Map::new();
    out.insert("type".into(), type_);
    if !flag.choices.is_empty() {
        out.insert("enum".into(), json!(flag.choices));
    }
    out
}

/// A value that is written as `text`, as a file would hold it.
pub(super) fn typed(flag: &Flag, text: &str) -> Value {
    let number = match flag.type_ {
        Type::Integer => text.parse::<i64>().ok().map(Value::from),
        Type::Number => text.parse::<f64>().ok().map(|number| match number {
            whole if whole.fract() == 0.0 && whole.abs() < 1e15 => Value::from(whole as i64),
            other => Value::from(other),
        }),
        Type::Json | Type::Text => None,
    };
    number.unwrap_or_else(|| Value::from(text))
}
