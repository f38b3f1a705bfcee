//! What is said to a server: conversations, their turns, and the prompts in them.

use std::sync::Arc;

/// Bytes with their MIME type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The MIME type: `image/png`.
    pub mime: String,
    /// The raw bytes, not encoded.
    pub data: Vec<u8>,
}

/// One piece of a message's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A content part in the API's own JSON, sent as it is.
    Json(String),
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, `tool`.
    pub role: String,
    /// What is said. Empty content is sent as `null`.
    pub content: Vec<Part>,
    /// Further members of the message, each with its value as JSON text (`name`, `tool_calls`).
    pub fields: Vec<(String, String)>,
}

impl Message {
    /// A message of plain text.
    pub fn text(role: impl Into<String>, text: impl Into<String>) -> Message {
        Message { role: role.into(), content: vec![Part::Text(text.into())], fields: Vec::new() }
    }
}

/// What a turn asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Plain text, for a completions endpoint.
    Text(String),
    /// Token ids, for a completions endpoint that takes them.
    Tokens(Vec<u32>),
    /// The messages that this turn adds to the conversation.
    Chat(Vec<Message>),
    /// A whole request body in the API's own JSON. What the command line asks for fills in what
    /// the body does not say; it never replaces what it does.
    Body(Vec<u8>),
}

/// One user turn. A plain prompt is a conversation of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What is asked.
    pub prompt: Prompt,
    /// The most tokens to generate; it wins over `--max-tokens`.
    pub max_tokens: Option<u32>,
    /// How long to wait before this turn is sent, in milliseconds.
    pub think_time_ms: Option<f64>,
    /// Headers to send with this turn.
    pub headers: Vec<(String, String)>,
}

impl From<Prompt> for Turn {
    fn from(prompt: Prompt) -> Turn {
        Turn { prompt, max_tokens: None, think_time_ms: None, headers: Vec::new() }
    }
}

/// A sequence of turns in which each one sees the replies to those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The dataset's own name for it.
    pub id: Option<String>,
    /// The turns, in order; at least one.
    pub turns: Vec<Turn>,
    /// When it arrives, in milliseconds after the start of the stage, where the dataset says so.
    pub arrival_ms: Option<f64>,
    /// Free labels that are copied to the records of its turns.
    pub labels: Vec<(String, String)>,
}

impl From<Prompt> for Conversation {
    fn from(prompt: Prompt) -> Conversation {
        Conversation { id: None, turns: vec![prompt.into()], arrival_ms: None, labels: Vec::new() }
    }
}

/// A turn as it is about to be sent: with what was said before it and who asks.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnInContext {
    /// Unique within the run; sent as the `X-Request-ID` header.
    pub request_id: String,
    /// The conversation's id, the dataset's or one given by the engine.
    pub conversation_id: String,
    /// The position of the turn in its conversation, from 0.
    pub turn_index: u32,
    /// The messages before this turn, replies of the server among them.
    pub history: Arc<Vec<Message>>,
    /// The turn.
    pub turn: Turn,
}
