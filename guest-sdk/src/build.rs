//! Short ways to make and read the contract's records.

use crate::{
    Conversation, Failure, FailureKind, FrameMark, Message, Outcome, OutputFrame, OutputKind, Part, Prompt,
    Reply, Turn, Usage,
};

impl Message {
    /// A message of plain text.
    pub fn text(role: impl Into<String>, text: impl Into<String>) -> Message {
        Message { role: role.into(), content: vec![Part::Text(text.into())], fields: Vec::new() }
    }
}

impl From<Prompt> for Turn {
    fn from(prompt: Prompt) -> Turn {
        Turn { prompt, max_tokens: None, think_time_ms: None, headers: Vec::new() }
    }
}

impl From<Vec<Turn>> for Conversation {
    fn from(turns: Vec<Turn>) -> Conversation {
        Conversation { id: None, turns, arrival_ms: None, labels: Vec::new() }
    }
}

impl Conversation {
    /// A conversation of one turn in which the user asks `text`.
    pub fn ask(text: impl Into<String>) -> Conversation {
        vec![Prompt::Chat(vec![Message::text("user", text)]).into()].into()
    }
}

impl Reply {
    /// The payload of one frame; empty if the mark is not one of this reply.
    pub fn data(&self, frame: &FrameMark) -> &[u8] {
        self.payload.get(frame.start as usize..frame.end as usize).unwrap_or_default()
    }
}

impl Failure {
    /// A failure of `kind`, explained by `message`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into() }
    }
}

impl Default for Usage {
    fn default() -> Usage {
        Usage { input_tokens: None, output_tokens: None, reasoning_tokens: None, cached_tokens: None }
    }
}

impl Default for Outcome {
    fn default() -> Outcome {
        Outcome {
            outputs: Vec::new(),
            text: String::new(),
            usage: Usage::default(),
            finish_reason: None,
            failure: None,
            labels: Vec::new(),
        }
    }
}

impl Outcome {
    /// Notes that the frame with index `frame`, from 0, brought `text` of `kind`. Frames must be
    /// given in order.
    pub fn push(&mut self, frame: usize, kind: OutputKind, text: &str) {
        self.text.push_str(text);
        let text_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let frame = u32::try_from(frame).unwrap_or(u32::MAX);
        self.outputs.push(OutputFrame { frame, kind, text_bytes, tokens: None });
    }
}
