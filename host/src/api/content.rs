//! Messages: in the JSON of OpenAI's chat API, and taken apart for the APIs that have another.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::contract::{Media, Message, Part, PartError, Prompt, TurnInContext};

/// The messages of a turn and those before it: of a body of the dataset's own only those before it.
pub(super) fn conversation<'a>(
    api: &str,
    turn: &'a TurnInContext,
) -> Result<Vec<Cow<'a, Message>>, PartError> {
    let mut messages: Vec<_> = turn.history.iter().map(Cow::Borrowed).collect();
    match &turn.turn.prompt {
        Prompt::Text(text) => messages.push(Cow::Owned(Message::text("user", text))),
        Prompt::Chat(chat) => messages.extend(chat.iter().map(Cow::Borrowed)),
        Prompt::Body(_) => {}
        Prompt::Tokens(_) => {
            return Err(PartError::Unsupported(format!(
                "the api \"{api}\" takes no token ids; drop --tokenize-prompt"
            )));
        }
    }
    Ok(messages)
}

/// A part of a message, in whichever form it came.
pub(super) enum Piece<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A picture, by its URL: mostly one that holds the data.
    Image(String),
    /// A sound: its data in Base64, and what it is (`mp3`).
    Audio(String, String),
    /// A part that only its own API knows.
    Other(Value),
}

/// The part, taken apart. A part in JSON is recognised if it is as OpenAI's chat API has it.
pub(super) fn piece(part: &Part) -> Result<Piece<'_>, PartError> {
    Ok(match part {
        Part::Text(text) => Piece::Text(Cow::Borrowed(text)),
        Part::Image(media) => Piece::Image(data_uri(media)),
        Part::Audio(media) => Piece::Audio(base64(&media.data), audio_format(media)),
        Part::Json(json) => piece_of_json(parsed(json, "a part of a message")?),
    })
}

/// The same of a part that is JSON already.
pub(super) fn piece_of_json(part: Value) -> Piece<'static> {
    let said = |pointer: &str| part.pointer(pointer).and_then(Value::as_str).map(str::to_string);
    let piece = match part.get("type").and_then(Value::as_str) {
        Some("text") => said("/text").map(|text| Piece::Text(Cow::Owned(text))),
        Some("image_url") => said("/image_url/url").or_else(|| said("/image_url")).map(Piece::Image),
        Some("input_audio") => said("/input_audio/data")
            .zip(said("/input_audio/format"))
            .map(|(data, format)| Piece::Audio(data, format)),
        _ => None,
    };
    piece.unwrap_or(Piece::Other(part))
}

/// A member of the message that is not its role or content, as JSON.
pub(super) fn field(message: &Message, name: &str) -> Result<Option<Value>, PartError> {
    let found = message.fields.iter().find(|(known, _)| known == name);
    found.map(|(name, json)| parsed(json, &format!("the member \"{name}\" of a message"))).transpose()
}

/// A call to a tool that a message has made, as OpenAI's chat API has it.
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    /// The arguments as the JSON text that the model wrote.
    pub(super) arguments: String,
}

/// The calls to tools in the member `tool_calls`.
pub(super) fn tool_calls(message: &Message) -> Result<Vec<ToolCall>, PartError> {
    let calls = field(message, "tool_calls")?;
    let said = |call: &Value, pointer: &str| {
        call.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string()
    };
    let call = |call: &Value| ToolCall {
        id: said(call, "/id"),
        name: said(call, "/function/name"),
        arguments: said(call, "/function/arguments"),
    };
    Ok(calls
        .as_ref()
        .and_then(Value::as_array)
        .map(|calls| calls.iter().map(call).collect())
        .unwrap_or_default())
}

/// The id of the call to a tool that a message with the role `tool` answers.
pub(super) fn tool_call_id(message: &Message) -> Result<Value, PartError> {
    Ok(field(message, "tool_call_id")?.unwrap_or_default())
}

/// The message as JSON: one text as a string, other content as a list of parts, none as `null`.
pub(super) fn message(message: &Message) -> Result<Value, PartError> {
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

/// What the message says, without its pictures and sounds.
pub(super) fn plain_text(message: &Message) -> String {
    let texts = message.content.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Json(json) => {
            let part: Value = serde_json::from_str(json).ok()?;
            Some(part.get("text")?.as_str()?.to_string())
        }
        Part::Image(_) | Part::Audio(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn part(part: &Part) -> Result<Value, PartError> {
    match part {
        Part::Text(text) => Ok(json!({ "type": "text", "text": text })),
        Part::Image(media) => Ok(json!({ "type": "image_url", "image_url": { "url": data_uri(media) } })),
        Part::Audio(media) => {
            let audio = json!({ "data": base64(&media.data), "format": audio_format(media) });
            Ok(json!({ "type": "input_audio", "input_audio": audio }))
        }
        Part::Json(json) => parsed(json, "a part of a message"),
    }
}

/// The name that OpenAI has for the format of a sound.
fn audio_format(media: &Media) -> String {
    match media.mime.rsplit('/').next().unwrap_or_default() {
        "mpeg" => "mp3".to_string(),
        other => other.strip_prefix("x-").unwrap_or(other).to_string(),
    }
}

fn parsed(json: &str, what: &str) -> Result<Value, PartError> {
    serde_json::from_str(json).map_err(|error| {
        PartError::InvalidData(format!("{what} is not valid JSON ({error}); correct the dataset"))
    })
}

fn data_uri(media: &Media) -> String {
    format!("data:{};base64,{}", media.mime, base64(&media.data))
}

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(data: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i)) as usize & 63;
            out.push(if i <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("\u{fb}\u{ff}", "w7vDvw=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn content_is_a_string_a_list_or_null() {
        let media = |mime: &str| Media { mime: mime.into(), data: b"foo".to_vec() };
        let several = Message {
            role: "user".into(),
            content: vec![
                Part::Text("a".into()),
                Part::Image(media("image/png")),
                Part::Audio(media("audio/mpeg")),
                Part::Json(r#"{"type":"file","n":1}"#.into()),
            ],
            fields: vec![("name".into(), "\"ada\"".into())],
        };
        insta::assert_snapshot!(message(&several).unwrap(), @r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,Zm9v"}},{"type":"input_audio","input_audio":{"data":"Zm9v","format":"mp3"}},{"type":"file","n":1}],"name":"ada"}"#);
        let none = Message { role: "assistant".into(), ..Message::default() };
        insta::assert_snapshot!(message(&none).unwrap(), @r#"{"role":"assistant","content":null}"#);
        insta::assert_snapshot!(message(&Message::text("user", "hi")).unwrap(), @r#"{"role":"user","content":"hi"}"#);
        assert_eq!(plain_text(&several), "a");
    }

    #[test]
    fn json_that_is_none_is_refused() {
        let bad = Message { role: "user".into(), content: vec![Part::Json("{".into())], fields: vec![] };
        assert!(message(&bad).is_err());
        let bad = Message { fields: vec![("name".into(), "ada".into())], ..Message::text("user", "a") };
        let told = message(&bad).unwrap_err().to_string();
        assert!(told.starts_with("the member \"name\" of a message is not valid JSON"), "{told}");
    }
}
