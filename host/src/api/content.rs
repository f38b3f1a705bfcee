//! Messages in the JSON of OpenAI's chat API.

use serde_json::{Map, Value, json};

use crate::contract::{Media, Message, Part, PartError};

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
            let format = media.mime.rsplit('/').next().unwrap_or_default();
            let format = match format {
                "mpeg" => "mp3",
                other => other.strip_prefix("x-").unwrap_or(other),
            };
            Ok(
                json!({ "type": "input_audio", "input_audio": { "data": base64(&media.data), "format": format } }),
            )
        }
        Part::Json(json) => parsed(json, "a part of a message"),
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
fn base64(data: &[u8]) -> String {
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
