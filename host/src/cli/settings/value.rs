//! A value from a file or the environment → the words of a command line that say the same.

use serde_json::{Map, Value};

use super::flag::{Flag, Takes, Type};

/// The words that give `flag` this value; none if the value is that of a flag that is not given.
///
/// # Errors
/// If a flag cannot have such a value: what it takes instead.
pub(super) fn words(flag: &Flag, value: &Value) -> Result<Vec<String>, String> {
    let word = |text: String| format!("--{}={text}", flag.name);
    match (flag.takes, value) {
        (_, Value::Null) => Ok(Vec::new()),
        (Takes::Nothing | Takes::OneOrNothing, Value::Bool(true)) => Ok(vec![format!("--{}", flag.name)]),
        (Takes::Nothing, Value::Bool(false)) => Ok(opposite(flag).into_iter().collect()),
        (Takes::OneOrNothing, Value::Bool(false)) => Ok(Vec::new()),
        (Takes::Nothing, _) => Err("takes true or false".to_string()),
        (Takes::Many(_), Value::Object(pairs)) => match flag.pair {
            Some(separator) => Ok(joined(pairs, separator)?.into_iter().map(word).collect()),
            None => Err("takes a list".to_string()),
        },
        (Takes::Many(most), Value::Array(values)) if values.len() > most => {
            Err(format!("takes at most {most} values, but got {}", values.len()))
        }
        (Takes::Many(_), Value::Array(values)) => {
            values.iter().map(|value| Ok(word(scalar(value)?))).collect()
        }
        (_, Value::Object(_) | Value::Array(_)) if flag.type_ == Type::Json => {
            Ok(vec![word(value.to_string())])
        }
        (_, Value::Array(_)) => Err("takes one value, not a list".to_string()),
        (_, value) => Ok(vec![word(scalar(value)?)]),
    }
}

/// The word that says the opposite of a flag that is a switch, if there is one.
fn opposite(flag: &Flag) -> Option<String> {
    let is_twin = |other: &&String| {
        other.strip_prefix("no-") == Some(&flag.name) || flag.name.strip_prefix("no-") == Some(other)
    };
    flag.conflicts.iter().find(is_twin).map(|twin| format!("--{twin}"))
}

fn joined(pairs: &Map<String, Value>, separator: char) -> Result<Vec<String>, String> {
    pairs.iter().map(|(name, value)| Ok(format!("{name}{separator}{}", scalar(value)?))).collect()
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err("takes plain values".to_string()),
    }
}

/// What the text of an environment variable means for `flag`.
///
/// # Errors
/// If it means nothing: what the flag takes instead.
pub(super) fn of_text(flag: &Flag, text: &str) -> Result<Value, String> {
    let text = text.trim();
    let truth = match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    };
    match flag.takes {
        Takes::Nothing => truth.map(Value::Bool).ok_or_else(|| "takes true or false".to_string()),
        Takes::OneOrNothing => match truth {
            Some(truth) if !matches!(text, "0" | "1") => Ok(Value::Bool(truth)),
            _ => Ok(Value::from(text)),
        },
        Takes::One => Ok(Value::from(text)),
        Takes::Many(_) if text.starts_with(['[', '{']) => serde_json::from_str(text)
            .map_err(|error| format!("is neither JSON nor a list of words: {error}")),
        Takes::Many(_) => Ok(text.split_whitespace().collect()),
    }
}
