//! Short ways to make and read the contract's records.

use crate::{
    Conversation, Failure, FailureKind, FrameMark, Media, Message, Outcome, OutputFrame, OutputKind, Part,
    Prompt, Reply, Turn, Usage,
};

impl Message {
    /// A message of plain text.
    pub fn text(role: impl Into<String>, text: impl Into<String>) -> Message {
        Message { role: role.into(), content: vec![Part::Text(text.into())], fields: Vec::new() }
    }
}

impl Media {
    /// The data in Base64 with padding (RFC 4648, section 4).
    pub fn base64(&self) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::with_capacity(self.data.len().div_ceil(3) * 4);
        for chunk in self.data.chunks(3) {
            let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for i in 0..4 {
                let sextet = (bits >> (18 - 6 * i)) as usize & 63;
                out.push(if i <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
            }
        }
        out
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

#[allow(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Usage {
    fn default() -> Usage {
        Usage { input_tokens: None, output_tokens: None, reasoning_tokens: None, cached_tokens: None }
    }
}

#[allow(clippy::derivable_impls, reason = "the type is generated")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(Media { mime: String::new(), data: plain.into() }.base64(), coded);
        }
    }

    #[test]
    fn text_and_frames_are_noted_together() {
        let mut outcome = Outcome::default();
        outcome.push(0, OutputKind::Reasoning, "hm");
        outcome.push(2, OutputKind::Content, "é");
        assert_eq!(outcome.text, "hmé");
        assert_eq!(
            outcome.outputs.iter().map(|o| (o.frame, o.text_bytes)).collect::<Vec<_>>(),
            [(0, 2), (2, 2)]
        );
    }
}
