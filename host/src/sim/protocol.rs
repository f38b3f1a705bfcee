//! What each API answers with. Everything that stays the same within a reply is formatted once, so
//! that a frame costs a few copies.

mod anthropic;
mod dashscope;
mod ollama;
mod openai;
mod pebble;
mod pooled;
mod responses;
mod tgi;

use std::io::Write;

use super::faults::Fault;
use super::framer::Sink;

/// The API that a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/rerank`.
    Rerank,
    /// `POST /v1/messages`.
    Anthropic,
    /// `POST /api/v1/services/aigc/text-generation/generation`.
    DashScope,
    /// `POST /api/chat`.
    Ollama,
    /// `POST /generate_stream` and `POST /generate`.
    Tgi,
    /// `POST /pebble/talk`, the invented protocol of the example plugins.
    Pebble,
}

impl Dialect {
    /// Whether nothing is generated: the reply is there when the prompt has been read.
    pub fn is_pooled(self) -> bool {
        matches!(self, Dialect::Embeddings | Dialect::Rerank)
    }

    /// Whether an answer may begin with reasoning.
    pub fn reasons(self) -> bool {
        use Dialect::{Anthropic, Chat, DashScope, Ollama, Pebble, Responses};
        matches!(self, Chat | Responses | Anthropic | DashScope | Ollama | Pebble)
    }

    /// Whether the fault `tool_calls` makes an answer a call to a tool.
    pub fn calls_tools(self) -> bool {
        matches!(self, Dialect::Chat | Dialect::Responses | Dialect::Anthropic)
    }

    /// Whether a stream is nothing without the events before its output, so that they are sent
    /// whatever was asked of the role frame.
    pub fn must_open(self) -> bool {
        matches!(self, Dialect::Responses | Dialect::Anthropic)
    }

    /// Whether every frame with output has the counts so far.
    pub fn counts_always(self) -> bool {
        matches!(self, Dialect::Tgi | Dialect::DashScope)
    }

    /// Whether the counts belong to the frame that says why the answer ended.
    pub fn counts_at_finish(self) -> bool {
        !matches!(self, Dialect::Chat | Dialect::Completions)
    }

    /// The name of the event with an error, and its data.
    pub fn error_event(self) -> (&'static str, &'static [u8]) {
        match self {
            Dialect::Chat | Dialect::Completions | Dialect::Embeddings | Dialect::Rerank => (
                "",
                b"{\"error\":{\"message\":\"the engine stopped working\",\"type\":\"InternalServerError\",\
                  \"param\":null,\"code\":500}}",
            ),
            Dialect::Responses => (
                "error",
                b"{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"the engine stopped working\",\
                  \"param\":null}",
            ),
            Dialect::Anthropic => (
                "error",
                b"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\
                  \"message\":\"the engine stopped working\"}}",
            ),
            Dialect::DashScope => (
                "error",
                b"{\"code\":\"InternalError\",\"message\":\"the engine stopped working\",\
                  \"request_id\":\"0\"}",
            ),
            Dialect::Ollama => ("", b"{\"error\":\"the engine stopped working\"}"),
            Dialect::Tgi => ("", b"{\"error\":\"the engine stopped working\",\"error_type\":\"generation\"}"),
            Dialect::Pebble => ("fault", b"{\"message\":\"the engine stopped working\"}"),
        }
    }
}

/// The words that answers are made of. Each is one token by the simulator's own count.
const WORDS: [&str; 32] = [
    " time", " year", " good", " work", " life", " hand", " part", " case", " week", " fact", " room",
    " area", " book", " word", " side", " kind", " head", " home", " line", " name", " body", " idea",
    " door", " city", " game", " food", " road", " form", " tree", " wind", " fire", " lake",
];

/// The text of the 4 MiB that the fault `huge_frame` puts into one frame.
const HUGE_BYTES: usize = 4 << 20;

/// Appends `count` words of an answer, from the word `first` on.
fn words(out: &mut Vec<u8>, first: u64, count: u64) {
    for i in first..first + count {
        out.extend_from_slice(WORDS[(i % WORDS.len() as u64) as usize].as_bytes());
    }
}

/// The text of a frame, with the oddity that a fault asks for.
fn text(out: &mut Vec<u8>, first: u64, tokens: u64, oddity: Option<Fault>) {
    words(out, first, tokens);
    match oddity {
        Some(Fault::InvalidUtf8) => out.extend_from_slice(b"\xff\xfe"),
        Some(Fault::HugeFrame) => out.resize(out.len() + HUGE_BYTES, b'x'),
        _ => {}
    }
}

/// Appends formatted text.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

/// Token counts as they are reported; `None` is left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub prompt: u64,
    pub completion: Option<u64>,
    pub cached: Option<u64>,
    pub reasoning: Option<u64>,
}

/// The output that one frame carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// The number of its first token in the reply, from 0.
    pub first: u64,
    /// How many tokens it has.
    pub tokens: u64,
    /// Whether it is reasoning.
    pub reasoning: bool,
    /// Whether it is the first one of the reasoning or of the answer.
    pub begins: bool,
    /// Whether it is the last one.
    pub last: bool,
}

impl Piece {
    /// The position of what it belongs to: 1 for an answer after reasoning, else 0.
    fn block(&self, reasoned: u64) -> u8 {
        u8::from(reasoned > 0 && !self.reasoning)
    }
}

/// Why the answer ended, and how long it took: what a last frame reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish {
    /// `length`, `stop` or `tool_calls`.
    pub reason: &'static str,
    /// All tokens of the answer.
    pub output_tokens: u64,
    /// Those of them that were reasoning.
    pub reasoning_tokens: u64,
    /// From the arrival to the first token, in nanoseconds.
    pub prefill_ns: i64,
    /// From the first token to the last, in nanoseconds.
    pub decode_ns: i64,
}

/// What a reply is an answer to.
pub(super) struct Facts<'a> {
    /// The model that was asked.
    pub model: &'a str,
    /// The number of the reply.
    pub id: u64,
    /// When it was made, in seconds of Unix time.
    pub created_s: i64,
    /// How many tokens of it are reasoning.
    pub reasoned: u64,
    pub fault: Option<Fault>,
}

/// Writes one reply.
pub(super) struct Writer {
    dialect: Dialect,
    fault: Option<Fault>,
    id: u64,
    reasoned: u64,
    /// The members that every frame, or every object that describes the reply, begins with.
    head: Vec<u8>,
    /// The same of a reply that is not streamed.
    whole_head: Vec<u8>,
}

impl Writer {
    /// The writer of a reply.
    pub fn new(dialect: Dialect, facts: &Facts) -> Writer {
        let (head, whole_head) = match dialect {
            Dialect::Chat | Dialect::Completions => openai::heads(dialect, facts),
            Dialect::Responses => responses::heads(facts),
            Dialect::Anthropic => anthropic::heads(facts),
            Dialect::Ollama => ollama::heads(facts),
            Dialect::Pebble => pebble::heads(facts),
            Dialect::Embeddings | Dialect::Rerank => pooled::heads(facts),
            Dialect::DashScope | Dialect::Tgi => (String::new(), String::new()),
        };
        Writer {
            dialect,
            fault: facts.fault,
            id: facts.id,
            reasoned: facts.reasoned,
            head: head.into_bytes(),
            whole_head: whole_head.into_bytes(),
        }
    }

    /// The frames before any output, where the dialect has some.
    pub fn opening(&self, sink: &mut Sink, usage: Option<&Usage>) {
        match self.dialect {
            Dialect::Chat => self.chat_role(sink, usage),
            Dialect::Responses => self.responses_opening(sink),
            Dialect::Anthropic => self.anthropic_opening(sink, usage),
            Dialect::Pebble => self.pebble_opening(sink),
            _ => {}
        }
    }

    /// A frame with output. `finish` is given with the last one.
    pub fn piece(
        &self,
        sink: &mut Sink,
        piece: Piece,
        oddity: Option<Fault>,
        usage: Option<&Usage>,
        finish: Option<&Finish>,
    ) {
        match self.dialect {
            Dialect::Chat | Dialect::Completions => self.openai_piece(sink, piece, oddity, usage),
            Dialect::Responses => self.responses_piece(sink, piece, oddity),
            Dialect::Anthropic => self.anthropic_piece(sink, piece, oddity),
            Dialect::DashScope => self.dashscope_piece(sink, piece, oddity, usage),
            Dialect::Ollama => self.ollama_piece(sink, piece, oddity),
            Dialect::Tgi => self.tgi_piece(sink, piece, oddity, usage, finish),
            Dialect::Pebble => self.pebble_piece(sink, piece, oddity),
            Dialect::Embeddings | Dialect::Rerank => {}
        }
    }

    /// The frames after the output that say why it ended.
    pub fn finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        match self.dialect {
            Dialect::Chat | Dialect::Completions => self.openai_finish(sink, finish, usage),
            Dialect::Responses => self.responses_finish(sink, finish, usage),
            Dialect::Anthropic => self.anthropic_finish(sink, finish, usage),
            Dialect::DashScope => self.dashscope_finish(sink, finish, usage),
            Dialect::Ollama => self.ollama_finish(sink, finish, usage),
            Dialect::Pebble => self.pebble_finish(sink, finish, usage),
            Dialect::Tgi | Dialect::Embeddings | Dialect::Rerank => {}
        }
    }

    /// The frame with nothing but the usage. Only the OpenAI dialects have one.
    pub fn usage(&self, sink: &mut Sink, usage: &Usage) {
        if matches!(self.dialect, Dialect::Chat | Dialect::Completions) {
            self.openai_usage(sink, usage);
        }
    }

    /// What ends the stream after its frames.
    pub fn end_marker(&self, sink: &mut Sink) {
        match self.dialect {
            Dialect::Chat | Dialect::Completions => sink.data("", b"[DONE]"),
            Dialect::Anthropic => sink.data("message_stop", b"{\"type\":\"message_stop\"}"),
            _ => {}
        }
    }

    /// The reply that is not streamed, of a dialect that generates.
    pub fn whole(&self, out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>, oddity: Option<Fault>) {
        match self.dialect {
            Dialect::Chat | Dialect::Completions => self.openai_whole(out, finish, usage, oddity),
            Dialect::Responses => self.responses_whole(out, finish, usage, oddity),
            Dialect::Anthropic => self.anthropic_whole(out, finish, usage, oddity),
            Dialect::DashScope => self.dashscope_whole(out, finish, usage, oddity),
            Dialect::Ollama => self.ollama_whole(out, finish, usage, oddity),
            Dialect::Tgi => self.tgi_whole(out, finish, usage, oddity),
            Dialect::Pebble => self.pebble_whole(out, finish, usage, oddity),
            Dialect::Embeddings | Dialect::Rerank => {}
        }
    }

    fn calls_tool(&self) -> bool {
        self.fault == Some(Fault::ToolCalls)
    }

    /// The text of the piece in quotes, as a JSON text. That of a call to a tool is its arguments,
    /// which make up `{"query":" …"}`.
    fn quoted(&self, out: &mut Vec<u8>, piece: Piece, oddity: Option<Fault>) {
        let call = self.dialect.calls_tools() && self.calls_tool();
        out.extend_from_slice(if call && piece.first == 0 { b"\"{\\\"query\\\":\\\"" } else { b"\"" });
        text(out, piece.first, piece.tokens, oddity);
        out.extend_from_slice(if call && piece.last { b"\\\"}\"" } else { b"\"" });
    }
}
