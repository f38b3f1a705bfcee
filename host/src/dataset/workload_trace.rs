//! `workload_trace`: whole requests of a service, with the moments they came at.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::replay::{Replay, Trace, moment};
use super::source::{Payload, Record};
use super::{DatasetSpec, options};
use crate::contract::{Conversation, Dataset, PartError, Prompt};
use crate::tokenizer::Tokenizer;

/// Members of a body that begin so are the baseline's own and never a server's.
const RESERVED: &str = "__evalscope_";
/// What is said of requests that cannot be held to their recorded length.
const FREE: &str = "use constrained decoding (a JSON response_format or a required tool call) and get no ignore_eos, so that their output may be shorter than recorded";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraceOptions {
    #[serde(default = "as_it_was")]
    speed: f64,
    model_override: Option<String>,
    #[serde(default)]
    model_mapping: Map<String, Value>,
    #[serde(default)]
    match_output_length: bool,
}

fn as_it_was() -> f64 {
    1.0
}

pub(super) fn open(spec: &DatasetSpec, _: Option<Arc<Tokenizer>>) -> Result<Box<dyn Dataset>, PartError> {
    let options: TraceOptions = options(spec)?;
    if let Some((model, _)) = options.model_mapping.iter().find(|(_, to)| !to.is_string()) {
        return Err(PartError::InvalidConfig(format!(
            "--dataset-args: model_mapping maps \"{model}\" to something else than a text; give a model's name"
        )));
    }
    let speed = options.speed;
    Ok(Box::new(Replay::open(spec, Requests(options), speed)?))
}

struct Requests(TraceOptions);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    timestamp: Value,
    body: Box<RawValue>,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    request_id: Option<Value>,
    #[serde(default)]
    completion_tokens: Option<Value>,
}

/// A request as it was recorded.
struct Entry {
    body: String,
    headers: Vec<(String, String)>,
    request_id: Option<String>,
    completion_tokens: Option<u32>,
}

impl Trace for Requests {
    type Entry = Entry;

    fn read(&self, record: &Record) -> Result<(f64, Entry), String> {
        let line: Result<Line, _> = match &record.payload {
            Payload::Text(text) => serde_json::from_str(text),
            Payload::Row(row) => serde_json::from_str(&sparse(row).to_string()),
        };
        let line = line.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => format!("invalid JSON: {error}"),
        })?;
        let at = moment(&line.timestamp)?;
        let body = body(line.body.get())?;
        let mut headers = Vec::new();
        for (name, value) in line.headers.unwrap_or_default() {
            let Value::String(value) = value else {
                return Err(format!("the header \"{name}\" is not a text"));
            };
            headers.push((name, value));
        }
        let request_id = match line.request_id {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id),
            Some(_) => return Err("request_id is not a text".into()),
        };
        let completion_tokens = match line.completion_tokens {
            None | Some(Value::Null) => None,
            Some(given) => {
                let count = given.as_u64().and_then(|count| u32::try_from(count).ok());
                Some(count.filter(|count| *count > 0).ok_or_else(|| {
                    format!("completion_tokens must be > 0 and a whole number, got {given}")
                })?)
            }
        };
        Ok((at, Entry { body, headers, request_id, completion_tokens }))
    }

    fn remark(&self, entry: &Entry) -> Option<&'static str> {
        if !self.0.match_output_length || entry.completion_tokens.is_none() {
            return None;
        }
        let body: Map<String, Value> = serde_json::from_str(&entry.body).ok()?;
        ends_by_itself(&body).then_some(FREE)
    }

    fn make(&self, entry: Entry, _number: u64) -> Result<Conversation, PartError> {
        let Entry { body, mut headers, request_id, completion_tokens } = entry;
        let mut conversation = Conversation::from(Prompt::Body(self.rewritten(body, completion_tokens)?));
        if let Some(id) = request_id {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-request-id")) {
                headers.push(("X-Request-ID".into(), id.clone()));
            }
            conversation.labels.push(("trace_request_id".into(), id));
        }
        if let Some(count) = completion_tokens {
            conversation.labels.push(("trace_output_tokens".into(), count.to_string()));
        }
        if let Some(turn) = conversation.turns.first_mut() {
            turn.headers = headers;
        }
        Ok(conversation)
    }
}

impl Requests {
    /// The body with what the options change in it; as it is recorded, byte for byte, where they
    /// change nothing.
    fn rewritten(&self, recorded: String, completion_tokens: Option<u32>) -> Result<Vec<u8>, PartError> {
        let options = &self.0;
        let length = completion_tokens.filter(|_| options.match_output_length);
        if options.model_override.is_none() && options.model_mapping.is_empty() && length.is_none() {
            return Ok(recorded.into_bytes());
        }
        let mut body: Map<String, Value> = serde_json::from_str(&recorded)
            .map_err(|error| PartError::Internal(format!("a body that was checked is not JSON: {error}")))?;
        let own = body.get("model").and_then(Value::as_str).unwrap_or_default();
        let mapped = options.model_mapping.get(own).and_then(Value::as_str);
        if let Some(model) = mapped.or(options.model_override.as_deref()) {
            let model = Value::from(model);
            body.insert("model".into(), model);
        }
        if let Some(length) = length {
            body.insert("max_tokens".into(), length.into());
            if !ends_by_itself(&body) {
                body.insert("ignore_eos".into(), true.into());
            }
        }
        Ok(Value::Object(body).to_string().into_bytes())
    }
}

/// Whether the request asks for an output that has an end of its own: going on after it would make
/// invalid JSON or a broken tool call.
fn ends_by_itself(body: &Map<String, Value>) -> bool {
    let format = body.get("response_format").and_then(|format| format.get("type")).and_then(Value::as_str);
    if matches!(format, Some("json_object" | "json_schema")) {
        return true;
    }
    let tools = body.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty());
    match body.get("tool_choice") {
        None | Some(Value::Null) => false,
        Some(Value::String(choice)) if choice == "none" || choice == "auto" => false,
        Some(_) => tools,
    }
}

/// The body's JSON: an object, or a text that holds one.
fn body(raw: &str) -> Result<String, String> {
    const WRONG: &str = "body must be a JSON object (a dict), or a text that holds one";
    let text = match raw.as_bytes().first() {
        Some(b'{') => raw.to_string(),
        Some(b'"') => {
            let text: String = serde_json::from_str(raw).map_err(|_| WRONG)?;
            let value: Value = serde_json::from_str(&text)
                .map_err(|error| format!("body is a text that is not valid JSON ({error})"))?;
            if !value.is_object() {
                return Err(WRONG.into());
            }
            text.trim().to_string()
        }
        _ => return Err(WRONG.into()),
    };
    if text.contains(RESERVED) {
        let members: Map<String, Value> = serde_json::from_str(&text).map_err(|_| WRONG)?;
        if let Some(name) = members.keys().find(|name| name.starts_with(RESERVED)) {
            return Err(format!("body has the reserved member \"{name}\""));
        }
    }
    Ok(text)
}

/// A row as an object, its cells that are empty left out, and those that hold JSON taken for it.
fn sparse(row: &Map<String, Value>) -> Value {
    let cell = |name: &str, value: &Value| match value {
        Value::String(text) if matches!(name, "headers" | "completion_tokens") => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        other => other.clone(),
    };
    let filled = row.iter().filter(|(_, value)| !value.is_null() && *value != "");
    Value::Object(filled.map(|(name, value)| (name.clone(), cell(name, value))).collect())
}
