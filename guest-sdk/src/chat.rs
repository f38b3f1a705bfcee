//! A turn as a server wants it: what was said so far, and the request that sends it.

use crate::{Framing, HttpRequest, Message, Part, PluginError, Prompt, TurnInContext};

/// One message of a conversation that is text and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Who speaks: `system`, `user`, `assistant`, `tool`.
    pub role: String,
    /// What is said.
    pub text: String,
}

impl Message {
    /// The text of the message, its parts put together.
    ///
    /// ```
    /// use tickrate_guest::Message;
    /// assert_eq!(Message::text("user", "hello").plain().unwrap(), "hello");
    /// ```
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] if a part of it is not text.
    pub fn plain(&self) -> Result<String, PluginError> {
        let mut text = String::new();
        for part in &self.content {
            let Part::Text(piece) = part else {
                let text = "this API takes text only; choose another dataset";
                return Err(PluginError::Unsupported(text.into()));
            };
            text.push_str(piece);
        }
        Ok(text)
    }
}

impl TurnInContext {
    /// The whole conversation as texts: what was said before, and then the turn's own text or chat.
    ///
    /// ```
    /// use tickrate_guest::{Message, Prompt, TurnInContext};
    /// let turn = TurnInContext {
    ///     request_id: "1".into(),
    ///     conversation_id: "c".into(),
    ///     turn_index: 1,
    ///     history: vec![Message::text("user", "Hi"), Message::text("assistant", "Hello.")],
    ///     turn: Prompt::Text("And now?".into()).into(),
    /// };
    /// let said = turn.utterances().unwrap();
    /// assert_eq!((said[2].role.as_str(), said[2].text.as_str()), ("user", "And now?"));
    /// ```
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] for token ids, a whole request body, pictures and sounds.
    pub fn utterances(&self) -> Result<Vec<Utterance>, PluginError> {
        let now = match &self.turn.prompt {
            Prompt::Text(text) => vec![Message::text("user", text)],
            Prompt::Chat(messages) => messages.clone(),
            Prompt::Tokens(_) | Prompt::Body(_) => {
                let text = "this API takes texts and chats; choose another dataset";
                return Err(PluginError::Unsupported(text.into()));
            }
        };
        let said = |message: &Message| Ok(Utterance { role: message.role.clone(), text: message.plain()? });
        self.history.iter().chain(&now).map(said).collect()
    }
}

impl HttpRequest {
    /// A `POST` of a JSON body. A streamed reply is framed as `framing`, any other is one frame.
    ///
    /// ```
    /// use tickrate_guest::{Framing, HttpRequest};
    /// let request = HttpRequest::post_json("http://127.0.0.1:1/x", "{}", Framing::Sse);
    /// assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", &b"{}"[..]));
    /// ```
    pub fn post_json(url: impl Into<String>, body: impl Into<Vec<u8>>, framing: Framing) -> HttpRequest {
        HttpRequest {
            method: "POST".into(),
            url: url.into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.into(),
            framing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Media;

    #[test]
    fn what_is_not_text_is_refused() {
        let image = Part::Image(Media { mime: "image/png".into(), data: vec![1] });
        let message = Message { role: "user".into(), content: vec![image], fields: Vec::new() };
        let turn = |prompt: Prompt| TurnInContext {
            request_id: String::new(),
            conversation_id: String::new(),
            turn_index: 0,
            history: Vec::new(),
            turn: prompt.into(),
        };
        for prompt in [Prompt::Chat(vec![message]), Prompt::Tokens(vec![1]), Prompt::Body(Vec::new())] {
            let told = turn(prompt).utterances();
            assert!(matches!(told, Err(PluginError::Unsupported(text)) if text.ends_with("another dataset")));
        }
    }
}
