//! A configuration file: YAML, TOML or JSON, with the long names of flags as keys.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Toml,
    Json,
}

impl Format {
    /// The format that the name of a file says it has.
    pub(super) fn of(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "yaml" | "yml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// The keys and values of the file at `path`; `-` reads YAML or JSON from the standard input.
///
/// # Errors
/// If it cannot be read or understood: one line that never repeats what the file holds, for that may
/// be a secret.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>, String> {
    let name = path.display();
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("--config: cannot read the standard input: {error}"))?;
        return parse(&text, Format::Yaml).map_err(|problem| format!("standard input: {problem}"));
    }
    let format = Format::of(path).ok_or_else(|| {
        format!("--config: \"{name}\" should end in .yaml, .yml, .toml or .json, which says how to read it")
    })?;
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("--config: cannot read \"{name}\": {error}; correct its path"))?;
    parse(&text, format).map_err(|problem| format!("{name}: {problem}"))
}

/// The keys and values of a text.
pub(super) fn parse(text: &str, format: Format) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let value = match format {
        Format::Json => serde_json::from_str(text).map_err(|error| format!("malformed JSON: {error}"))?,
        Format::Yaml => yaml(text)?,
        Format::Toml => toml(text)?,
    };
    match value {
        Value::Object(object) => Ok(object),
        // A file of nothing but comments.
        Value::Null => Ok(Map::new()),
        _ => Err("should be a map of flags and their values, such as \"parallel: [1, 10]\"".to_string()),
    }
}

fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let said = error.to_string();
        format!("malformed YAML: {}", said.lines().next().unwrap_or_default())
    })
}

fn toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let said = error.message().lines().next().unwrap_or_default();
        format!("malformed TOML: {said} at line {line}")
    })
}
