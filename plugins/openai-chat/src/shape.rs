//! A turn → the body of a request to a chat endpoint.

use serde_json::{Map, Value, json};
use tickrate_guest::{Framing, HttpRequest, Media, Message, Part, PluginError, Prompt, TurnInContext};

use crate::OpenAiChat;

/// The request for a turn.
pub(crate) fn shape(api: &OpenAiChat, turn: &TurnInContext) -> Result<HttpRequest, PluginError> {
    let mut body = match &turn.turn.prompt {
        Prompt::Body(given) => filled(api, turn, given)?,
        _ => composed(api, turn)?,
    };
    let streamed = body.get("stream") == Some(&Value::Bool(true));
    if streamed {
        body.entry("stream_options").or_insert_with(|| json!({ "include_usage": true }));
    } else {
        body.shift_remove("stream_options");
    }
    let body = serde_json::to_vec(&body)
        .map_err(|error| PluginError::Internal(format!("a body could not be written as JSON: {error}")))?;
    Ok(HttpRequest {
        method: "POST".into(),
        url: api.url.clone(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body,
        framing: if streamed { Framing::Sse } else { Framing::Whole },
    })
}

fn composed(api: &OpenAiChat, turn: &TurnInContext) -> Result<Map<String, Value>, PluginError> {
    let mut messages = turn.history.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    match &turn.turn.prompt {
        Prompt::Text(text) => messages.push(json!({ "role": "user", "content": text })),
        Prompt::Chat(chat) => {
            for one in chat {
                messages.push(message(one)?);
            }
        }
        Prompt::Tokens(_) | Prompt::Body(_) => {
            return Err(PluginError::Unsupported(
                "a chat endpoint takes no token ids; drop --tokenize-prompt".into(),
            ));
        }
    }
    let mut body = Map::new();
    if !api.model.is_empty() {
        body.insert("model".into(), Value::String(api.model.clone()));
    }
    body.insert("messages".into(), Value::Array(messages));
    body.extend(parameters(api, turn));
    Ok(body)
}

/// The dataset's own body: what the command line asks for only fills in what it does not say.
fn filled(api: &OpenAiChat, turn: &TurnInContext, given: &[u8]) -> Result<Map<String, Value>, PluginError> {
    let mut body: Map<String, Value> = serde_json::from_slice(given).map_err(|error| {
        PluginError::InvalidData(format!(
            "a request body is not a JSON object ({error}); correct the dataset"
        ))
    })?;
    if !turn.history.is_empty() {
        let Some(Value::Array(own)) = body.get_mut("messages") else {
            return Err(PluginError::Unsupported(
                "a request body without a list of \"messages\" cannot continue a conversation; make it a \
                 conversation of its own"
                    .into(),
            ));
        };
        let history = turn.history.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        own.splice(0..0, history);
    }
    if !api.model.is_empty() {
        body.entry("model").or_insert_with(|| Value::String(api.model.clone()));
    }
    // The two names of one limit must not both be there.
    let limited = body.contains_key("max_completion_tokens");
    for (name, value) in parameters(api, turn) {
        if !(limited && name == "max_tokens") {
            body.entry(name).or_insert(value);
        }
    }
    Ok(body)
}

/// What the command line asks for, in order: the turn's own limit wins over `--max-tokens`.
fn parameters<'a>(
    api: &'a OpenAiChat,
    turn: &TurnInContext,
) -> impl Iterator<Item = (String, Value)> + use<'a> {
    let limit = turn.turn.max_tokens.map(|limit| ("max_tokens".to_owned(), Value::from(limit)));
    let limited = limit.is_some();
    let stream =
        (api.stream && !api.parameters.contains_key("stream")).then(|| ("stream".into(), true.into()));
    let given = api.parameters.iter().filter(move |(name, _)| !(limited && *name == "max_tokens"));
    let given = given.map(|(name, value)| (name.clone(), value.clone()));
    limit.into_iter().chain(given).chain(stream)
}

/// The message as JSON: one text as a string, other content as a list of parts, none as `null`.
fn message(message: &Message) -> Result<Value, PluginError> {
    let content = match message.content.as_slice() {
        [] => Value::Null,
        [Part::Text(text)] => Value::String(text.clone()),
        parts => Value::Array(parts.iter().map(part).collect::<Result<_, _>>()?),
    };
    let mut members = Map::with_capacity(2 + message.fields.len());
    members.insert("role".into(), Value::String(message.role.clone()));
    members.insert("content".into(), content);
    for (name, json) in &message.fields {
        members.insert(name.clone(), parsed(json, &format!("the member \"{name}\" of a message"))?);
    }
    Ok(Value::Object(members))
}

fn part(part: &Part) -> Result<Value, PluginError> {
    match part {
        Part::Text(text) => Ok(json!({ "type": "text", "text": text })),
        Part::Image(media) => {
            let url = format!("data:{};base64,{}", media.mime, media.base64());
            Ok(json!({ "type": "image_url", "image_url": { "url": url } }))
        }
        Part::Audio(media) => Ok(json!({
            "type": "input_audio",
            "input_audio": { "data": media.base64(), "format": sound_format(media) },
        })),
        Part::Json(json) => parsed(json, "a part of a message"),
    }
}

fn sound_format(media: &Media) -> &str {
    match media.mime.rsplit('/').next().unwrap_or_default() {
        "mpeg" => "mp3",
        other => other.strip_prefix("x-").unwrap_or(other),
    }
}

fn parsed(json: &str, what: &str) -> Result<Value, PluginError> {
    serde_json::from_str(json).map_err(|error| {
        PluginError::InvalidData(format!("{what} is not valid JSON ({error}); correct the dataset"))
    })
}
