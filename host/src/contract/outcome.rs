//! What a reply meant.

use std::fmt;

/// What kind of output a frame carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputKind {
    /// A part of the answer.
    Content,
    /// A part of the reasoning before the answer.
    Reasoning,
    /// A part of a call to a tool.
    ToolCall,
}

/// A frame that carried output. One frame may carry several kinds and then appears several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputFrame {
    /// The index of the frame in the reply, from 0; never falling.
    pub frame: u32,
    /// What it carried.
    pub kind: OutputKind,
    /// How many bytes of [`Outcome::text`] it brought.
    pub text_bytes: u32,
    /// How many tokens it brought, where the server says so.
    pub tokens: Option<u32>,
}

/// A message that carried no output: only a role, a finish reason, the usage. Nothing of ours is
/// computed from these; they are kept for those who take them for output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BareFrame {
    /// The index of the frame in the reply, from 0; never falling.
    pub frame: u32,
    /// Whether it had a choice in it, if an empty one.
    pub choice: bool,
}

/// Token counts as the server reports them; any of them may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens generated, reasoning included.
    pub output_tokens: Option<u64>,
    /// Those of the output that were reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Those of the input that came from the prefix cache.
    pub cached_tokens: Option<u64>,
}

/// Why a request failed, in words that a table of errors can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The server could not be reached.
    Connect,
    /// The TLS handshake was refused.
    Tls,
    /// No connection within `--connect-timeout`.
    ConnectTimeout,
    /// Nothing to read for `--read-timeout`.
    ReadTimeout,
    /// Not finished within `--total-timeout`.
    TotalTimeout,
    /// A status other than success.
    HttpStatus,
    /// The connection ended in the middle of the reply.
    Truncated,
    /// The server reported an error within a reply that had begun well.
    StreamError,
    /// The reply could not be understood.
    InvalidReply,
    /// The reply was well formed and carried no output.
    EmptyReply,
    /// The reply was larger than the client accepts.
    TooLarge,
    /// A plugin failed: a trap, a limit, an answer that makes no sense.
    Plugin,
    /// The request could not be shaped from the dataset's item.
    Shape,
    /// The user stopped the run before the reply was complete.
    Interrupted,
    /// The client gave the request up on purpose (`--cancel-rate`).
    Cancelled,
    /// The request was due and not sent: as many as `--max-concurrency` allows were in flight.
    Shed,
}

/// How the message of a reply begins whose connection ended in its middle. A reply that was read to
/// its end and is [`FailureKind::Truncated`] all the same says something else.
pub const CUT_SHORT: &str = "the server closed the connection";

impl FailureKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [FailureKind; 16] = [
        FailureKind::Connect,
        FailureKind::Tls,
        FailureKind::ConnectTimeout,
        FailureKind::ReadTimeout,
        FailureKind::TotalTimeout,
        FailureKind::HttpStatus,
        FailureKind::Truncated,
        FailureKind::StreamError,
        FailureKind::InvalidReply,
        FailureKind::EmptyReply,
        FailureKind::TooLarge,
        FailureKind::Plugin,
        FailureKind::Shape,
        FailureKind::Interrupted,
        FailureKind::Cancelled,
        FailureKind::Shed,
    ];

    /// The name in the `error_kind` column and in tables.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Connect => "connect",
            FailureKind::Tls => "tls",
            FailureKind::ConnectTimeout => "connect_timeout",
            FailureKind::ReadTimeout => "read_timeout",
            FailureKind::TotalTimeout => "total_timeout",
            FailureKind::HttpStatus => "http_status",
            FailureKind::Truncated => "truncated",
            FailureKind::StreamError => "stream_error",
            FailureKind::InvalidReply => "invalid_reply",
            FailureKind::EmptyReply => "empty_reply",
            FailureKind::TooLarge => "too_large",
            FailureKind::Plugin => "plugin",
            FailureKind::Shape => "shape",
            FailureKind::Interrupted => "interrupted",
            FailureKind::Cancelled => "cancelled",
            FailureKind::Shed => "shed",
        }
    }

    /// The kind that goes by `name`.
    pub fn from_name(name: &str) -> Option<FailureKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request's failure: its kind, and one line of detail that holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What exactly happened.
    pub message: String,
}

impl Failure {
    /// A failure of `kind`, explained by `message`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into() }
    }
}

/// What a parser made of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The frames that carried output, in order.
    pub outputs: Vec<OutputFrame>,
    /// The frames that were messages and carried none, in order, where the parser notes them.
    pub bare: Vec<BareFrame>,
    /// All output in the order it came: answer, reasoning and arguments of tool calls.
    pub text: String,
    /// The server's token counts.
    pub usage: Usage,
    /// Why the server stopped: `stop`, `length`, `tool_calls`.
    pub finish_reason: Option<String>,
    /// What went wrong, if something did.
    pub failure: Option<Failure>,
    /// Further facts to keep with the record, such as the server's own timings.
    pub labels: Vec<(String, String)>,
}

impl Outcome {
    /// Notes that a frame was a message without output, with a choice in it or without.
    pub fn note_bare(&mut self, frame: usize, choice: bool) {
        self.bare.push(BareFrame { frame: u32::try_from(frame).unwrap_or(u32::MAX), choice });
    }

    /// The output of one kind, put together: the answer that becomes history, for instance.
    /// Returns `None` if the frames claim more text than there is.
    pub fn text_of(&self, kind: OutputKind) -> Option<String> {
        let mut at = 0_usize;
        let mut out = String::new();
        for output in &self.outputs {
            let end = at + output.text_bytes as usize;
            let piece = self.text.get(at..end)?;
            if output.kind == kind {
                out.push_str(piece);
            }
            at = end;
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_kind_has_its_own_name() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn text_is_split_by_kind_and_a_lie_about_its_length_is_noticed() {
        let frame = |kind, text_bytes| OutputFrame { frame: 0, kind, text_bytes, tokens: None };
        let mut outcome = Outcome {
            outputs: vec![frame(OutputKind::Reasoning, 2), frame(OutputKind::Content, 3)],
            text: "R!abc".into(),
            ..Outcome::default()
        };
        assert_eq!(outcome.text_of(OutputKind::Content).as_deref(), Some("abc"));
        assert_eq!(outcome.text_of(OutputKind::Reasoning).as_deref(), Some("R!"));
        outcome.outputs[1].text_bytes = 4;
        assert_eq!(outcome.text_of(OutputKind::Content), None);
    }
}
