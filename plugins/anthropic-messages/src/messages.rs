//! A conversation as the API has it: what the system says, and the messages.

use serde_json::{Value, json};
use tickrate_guest::{Media, Message, Part, PluginError, Prompt, TurnInContext};

/// What a turn and those before it say.
pub(crate) struct Said {
    /// What the system messages say, one below the other.
    pub(crate) system: String,
    /// The others.
    pub(crate) messages: Vec<Value>,
}

/// The messages of a turn and those before it; of a whole body only those before it.
pub(crate) fn of(turn: &TurnInContext) -> Result<Said, PluginError> {
    let now = match &turn.turn.prompt {
        Prompt::Text(text) => vec![Message::text("user", text)],
        Prompt::Chat(chat) => chat.clone(),
        Prompt::Body(_) => Vec::new(),
        Prompt::Tokens(_) => {
            return Err(PluginError::Unsupported(
                "Anthropic takes no token ids; drop --tokenize-prompt".into(),
            ));
        }
    };
    let mut system = Vec::new();
    let mut messages = Vec::new();
    for message in turn.history.iter().chain(&now) {
        match message.role.as_str() {
            "system" | "developer" => system.push(plain(message)),
            "tool" => {
                let id = field(message, "tool_call_id")?.unwrap_or_default();
                let result = json!({ "type": "tool_result", "tool_use_id": id, "content": plain(message) });
                messages.push(json!({ "role": "user", "content": [result] }));
            }
            role => messages.push(json!({ "role": role, "content": content(message)? })),
        }
    }
    Ok(Said { system: system.join("\n"), messages })
}

/// One text as it is, anything else as blocks: pictures, and the calls that the message makes.
fn content(message: &Message) -> Result<Value, PluginError> {
    let calls = field(message, "tool_calls")?;
    let calls = calls.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let ([Part::Text(text)], []) = (&message.content[..], calls) {
        return Ok(text.as_str().into());
    }
    let mut blocks = message.content.iter().map(block).collect::<Result<Vec<_>, _>>()?;
    for call in calls {
        let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
        let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
        let (id, name) = (&call["id"], &call["function"]["name"]);
        blocks.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
    }
    Ok(Value::Array(blocks))
}

fn block(part: &Part) -> Result<Value, PluginError> {
    match part {
        Part::Text(text) => Ok(json!({ "type": "text", "text": text })),
        Part::Image(media) => Ok(image(media)),
        Part::Json(json) => Ok(block_of_json(parsed(json, "a part of a message")?)),
        Part::Audio(_) => {
            Err(PluginError::Unsupported("Anthropic takes no sounds; choose another dataset".into()))
        }
    }
}

fn image(media: &Media) -> Value {
    let source = json!({ "type": "base64", "media_type": media.mime, "data": media.base64() });
    json!({ "type": "image", "source": source })
}

/// A part that is JSON already: a picture as OpenAI has it becomes one of this API.
fn block_of_json(part: Value) -> Value {
    let url = part["image_url"]["url"].as_str().or_else(|| part["image_url"].as_str());
    let (Some("image_url"), Some(url)) = (part["type"].as_str(), url) else { return part };
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let source = match inline {
        Some((mime, data)) => json!({ "type": "base64", "media_type": mime, "data": data }),
        None => json!({ "type": "url", "url": url }),
    };
    json!({ "type": "image", "source": source })
}

/// The texts of a message, without its pictures.
fn plain(message: &Message) -> String {
    let texts = message.content.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Json(json) => {
            let part: Value = serde_json::from_str(json).ok()?;
            part["text"].as_str().map(str::to_owned)
        }
        Part::Image(_) | Part::Audio(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn field(message: &Message, name: &str) -> Result<Option<Value>, PluginError> {
    let found = message.fields.iter().find(|(known, _)| known == name);
    found.map(|(_, json)| parsed(json, &format!("the member \"{name}\" of a message"))).transpose()
}

fn parsed(json: &str, what: &str) -> Result<Value, PluginError> {
    serde_json::from_str(json).map_err(|error| {
        PluginError::InvalidData(format!("{what} is not valid JSON ({error}); correct the dataset"))
    })
}
