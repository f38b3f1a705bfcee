//! Messages as files hold them, in the JSON of OpenAI's chat API.

use serde_json::Value;

use crate::contract::{Message, Part};

/// A message, each of its parts and further members kept as they are written; `None` if it is none.
pub(super) fn message(value: Value) -> Option<Message> {
    let Value::Object(mut members) = value else { return None };
    let Value::String(role) = members.shift_remove("role")? else { return None };
    let content = match members.shift_remove("content") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![Part::Text(text)],
        Some(Value::Array(parts)) => parts.iter().map(|part| Part::Json(part.to_string())).collect(),
        Some(_) => return None,
    };
    let fields = members.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    Some(Message { role, content, fields })
}

/// The texts of a message, its parts joined by line breaks.
pub(super) fn text(message: &Message) -> String {
    let texts = message.content.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Json(json) => {
            let part: Value = serde_json::from_str(json).ok()?;
            part.as_str().or_else(|| part.get("text")?.as_str()).map(str::to_string)
        }
        Part::Image(_) | Part::Audio(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
