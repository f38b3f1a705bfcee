//! Chat templates: Jinja as the models' authors write it, with Python's manners.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::contract::{Message, Part};

const NAME: &str = "chat";

/// A compiled chat template and the special tokens that it may write.
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// Compiles `source`. The error is what the compiler said.
    pub(super) fn new(source: &str, special_tokens: &[(String, String)]) -> Result<ChatTemplate, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| reason(&e))?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", tojson);
        for (name, token) in special_tokens {
            environment.add_global(name.clone(), token.clone());
        }
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(|e| reason(&e))?;
        Ok(ChatTemplate { environment })
    }

    /// The messages as text. The error is what the engine, or the template itself, said.
    pub(super) fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, String> {
        let messages = messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        let template = self.environment.get_template(NAME).map_err(|e| reason(&e))?;
        template
            .render(minijinja::context! { messages, add_generation_prompt, tools => (), documents => () })
            .map_err(|e| reason(&e))
    }
}

fn reason(error: &Error) -> String {
    match (error.detail(), error.line()) {
        (Some(detail), Some(line)) => format!("line {line}: {detail}"),
        (Some(detail), None) => detail.to_string(),
        (None, _) => error.to_string(),
    }
}

/// A message as the template sees it: content of one text is a string, other content a list.
fn message(message: &Message) -> Result<Value, String> {
    let content = match message.content.as_slice() {
        [] => serde_json::Value::Null,
        [Part::Text(text)] => text.clone().into(),
        parts => parts.iter().map(part).collect::<Result<Vec<_>, _>>()?.into(),
    };
    let mut members = serde_json::Map::new();
    members.insert("role".into(), message.role.clone().into());
    members.insert("content".into(), content);
    for (name, json) in &message.fields {
        let value = serde_json::from_str(json)
            .map_err(|error| format!("the member \"{name}\" of a message is not JSON ({error})"))?;
        members.insert(name.clone(), value);
    }
    Ok(Value::from(Serde(members)))
}

fn part(part: &Part) -> Result<serde_json::Value, String> {
    match part {
        Part::Text(text) => Ok(serde_json::json!({ "type": "text", "text": text })),
        Part::Image(_) => Ok(serde_json::json!({ "type": "image" })),
        Part::Audio(_) => Ok(serde_json::json!({ "type": "audio" })),
        Part::Json(json) => {
            serde_json::from_str(json).map_err(|error| format!("a part of a message is not JSON ({error})"))
        }
    }
}

fn strftime_now(format: String) -> Result<String, Error> {
    use std::fmt::Write;
    let mut out = String::new();
    write!(out, "{}", chrono::Local::now().format(&format)).map_err(|_| {
        Error::new(ErrorKind::InvalidOperation, format!("\"{format}\" is not a format of strftime"))
    })?;
    Ok(out)
}

/// `json.dumps` of Python with `ensure_ascii=False`, which the templates were written for: a space
/// after each comma and colon, and no escaping for HTML.
fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let mut out = Vec::new();
    let written = match indent {
        Some(width) => {
            let indent = " ".repeat(width.min(16));
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, PythonFormatter)),
    };
    written.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let text =
        String::from_utf8(out).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from_safe_string(text))
}

struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, w: &mut W) -> std::io::Result<()> {
        w.write_all(b": ")
    }
}

/// Some templates mark what the assistant said with `{% generation %}`, for training only. The tag
/// becomes a condition that always holds, so that its control of white space stays.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let tag = &rest[start..start + length];
        out.push_str(&rest[..start]);
        match tag.trim_start_matches(['{', '%', '-', '+']).trim_end_matches(['-', '+']).trim() {
            "generation" => out.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => out.push_str(&tag.replacen("endgeneration", "endif", 1)),
            _ => out.push_str(tag),
        }
        rest = &rest[start + length..];
    }
    out.push_str(rest);
    out
}
