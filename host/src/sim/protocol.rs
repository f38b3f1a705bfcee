//! The JSON that each API answers with. Everything that stays the same within a reply is
//! formatted once, so that a frame costs a few copies.

use std::io::Write;

use super::faults::Fault;

/// The API that a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /api/chat`.
    Ollama,
    /// `POST /generate_stream` and `POST /generate`.
    Tgi,
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

/// Token counts as they are reported; `None` is left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub prompt: u64,
    pub completion: Option<u64>,
    pub cached: Option<u64>,
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Appends `,"usage":{…}`.
    fn write(&self, out: &mut Vec<u8>) {
        put(out, format_args!(",\"usage\":{{\"prompt_tokens\":{}", self.prompt));
        if let Some(completion) = self.completion {
            let total = self.prompt + completion;
            put(out, format_args!(",\"completion_tokens\":{completion},\"total_tokens\":{total}"));
        }
        if let Some(cached) = self.cached {
            put(out, format_args!(",\"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}"));
        }
        if let Some(reasoning) = self.reasoning {
            put(out, format_args!(",\"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}"));
        }
        out.push(b'}');
    }
}

/// Appends formatted text.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
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
    /// Whether it is the last one.
    pub last: bool,
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

/// Writes the JSON of one reply.
pub(super) struct Writer {
    dialect: Dialect,
    fault: Option<Fault>,
    /// All that comes before `"choices"` or, for Ollama, before `"message"`.
    head: Vec<u8>,
    /// The same of a reply that is not streamed.
    whole_head: Vec<u8>,
}

impl Writer {
    /// The writer of the reply number `id`, made at `created_s` seconds of Unix time.
    pub fn new(dialect: Dialect, model: &str, id: u64, created_s: i64, fault: Option<Fault>) -> Writer {
        let model = serde_json::Value::from(model);
        let openai = |prefix: &str, object: &str| {
            format!(
                "{{\"id\":\"{prefix}-{id:024x}\",\"object\":\"{object}\",\"created\":{created_s},\"model\":{model},"
            )
        };
        let (head, whole_head) = match dialect {
            Dialect::Chat => {
                (openai("chatcmpl", "chat.completion.chunk"), openai("chatcmpl", "chat.completion"))
            }
            Dialect::Completions => (openai("cmpl", "text_completion"), openai("cmpl", "text_completion")),
            Dialect::Ollama => {
                let time = chrono::DateTime::from_timestamp(created_s, 0).unwrap_or_default();
                let created = time.format("%Y-%m-%dT%H:%M:%SZ");
                let head = format!("{{\"model\":{model},\"created_at\":\"{created}\",");
                (head.clone(), head)
            }
            Dialect::Tgi => (String::new(), String::new()),
        };
        Writer { dialect, fault, head: head.into_bytes(), whole_head: whole_head.into_bytes() }
    }

    /// The frame with a role and no text. Only chats have one; returns whether it was written.
    pub fn role(&self, out: &mut Vec<u8>, usage: Option<&Usage>) -> bool {
        if self.dialect != Dialect::Chat {
            return false;
        }
        out.extend_from_slice(&self.head);
        let delta: &[u8] = if self.calls_tool() {
            b"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},"
        } else {
            b"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
        };
        out.extend_from_slice(delta);
        out.extend_from_slice(b"\"logprobs\":null,\"finish_reason\":null}]");
        self.close(out, usage);
        true
    }

    /// A frame with output. `finish` is given with the last one.
    pub fn piece(
        &self,
        out: &mut Vec<u8>,
        piece: Piece,
        oddity: Option<Fault>,
        usage: Option<&Usage>,
        finish: Option<&Finish>,
    ) {
        out.extend_from_slice(&self.head);
        let quoted = |out: &mut Vec<u8>| {
            out.push(b'"');
            text(out, piece.first, piece.tokens, oddity);
            out.push(b'"');
        };
        match self.dialect {
            Dialect::Chat if self.calls_tool() => self.tool_delta(out, piece, oddity),
            Dialect::Chat => {
                out.extend_from_slice(b"\"choices\":[{\"index\":0,\"delta\":{\"");
                out.extend_from_slice(if piece.reasoning { b"reasoning_content" } else { b"content" });
                out.extend_from_slice(b"\":");
                quoted(out);
                out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]");
            }
            Dialect::Completions => {
                out.extend_from_slice(b"\"choices\":[{\"index\":0,\"text\":");
                quoted(out);
                out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":null}]");
            }
            Dialect::Ollama => {
                out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",");
                if piece.reasoning {
                    out.extend_from_slice(b"\"content\":\"\",\"thinking\":");
                } else {
                    out.extend_from_slice(b"\"content\":");
                }
                quoted(out);
                out.extend_from_slice(b"},\"done\":false");
            }
            Dialect::Tgi => {
                let index = piece.first + piece.tokens;
                put(
                    out,
                    format_args!("{{\"index\":{index},\"token\":{{\"id\":{},\"text\":", 100 + index % 1000),
                );
                quoted(out);
                out.extend_from_slice(b",\"logprob\":-0.25,\"special\":false},\"generated_text\":");
                match finish {
                    Some(finish) => {
                        out.push(b'"');
                        words(out, 0, finish.output_tokens);
                        out.extend_from_slice(b"\",\"details\":");
                        tgi_details(out, finish, usage);
                    }
                    None => out.extend_from_slice(b"null,\"details\":null"),
                }
            }
        }
        self.close(out, usage);
    }

    /// The frame after the output that says why it ended. TGI has none.
    pub fn finish(&self, out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>) -> bool {
        out.extend_from_slice(&self.head);
        match self.dialect {
            Dialect::Chat => {
                let reason = finish.reason;
                put(
                    out,
                    format_args!(
                        "\"choices\":[{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"
                    ),
                );
                self.close(out, usage);
            }
            Dialect::Completions => {
                let reason = finish.reason;
                put(
                    out,
                    format_args!(
                        "\"choices\":[{{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"
                    ),
                );
                self.close(out, usage);
            }
            Dialect::Ollama => {
                out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",\"content\":\"\"}");
                ollama_end(out, finish, usage);
            }
            Dialect::Tgi => return false,
        }
        true
    }

    /// The frame with nothing but the usage. Only the OpenAI dialects have one.
    pub fn usage(&self, out: &mut Vec<u8>, usage: &Usage) -> bool {
        if !matches!(self.dialect, Dialect::Chat | Dialect::Completions) {
            return false;
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"\"choices\":[]");
        self.close(out, Some(usage));
        true
    }

    /// The reply that is not streamed.
    pub fn whole(&self, out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>, oddity: Option<Fault>) {
        out.extend_from_slice(&self.whole_head);
        let (all, thought, reason) = (finish.output_tokens, finish.reasoning_tokens, finish.reason);
        let answer = |out: &mut Vec<u8>| {
            out.push(b'"');
            text(out, thought, all - thought, oddity);
            out.push(b'"');
        };
        match self.dialect {
            Dialect::Chat => {
                out.extend_from_slice(
                    b"\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":",
                );
                if self.calls_tool() {
                    out.extend_from_slice(b"null,\"tool_calls\":[{\"id\":\"call_0\",\"type\":\"function\",");
                    out.extend_from_slice(
                        b"\"function\":{\"name\":\"look_up\",\"arguments\":\"{\\\"query\\\":\\\"",
                    );
                    text(out, thought, all - thought, oddity);
                    out.extend_from_slice(b"\\\"}\"}}]");
                } else {
                    answer(out);
                }
                if thought > 0 {
                    out.extend_from_slice(b",\"reasoning_content\":\"");
                    words(out, 0, thought);
                    out.push(b'"');
                }
                put(out, format_args!("}},\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"));
                self.close(out, usage);
            }
            Dialect::Completions => {
                out.extend_from_slice(b"\"choices\":[{\"index\":0,\"text\":");
                answer(out);
                put(out, format_args!(",\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"));
                self.close(out, usage);
            }
            Dialect::Ollama => {
                out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",\"content\":");
                answer(out);
                if thought > 0 {
                    out.extend_from_slice(b",\"thinking\":\"");
                    words(out, 0, thought);
                    out.push(b'"');
                }
                out.push(b'}');
                ollama_end(out, finish, usage);
            }
            Dialect::Tgi => {
                out.extend_from_slice(b"{\"generated_text\":");
                answer(out);
                out.extend_from_slice(b",\"details\":");
                tgi_details(out, finish, usage);
                out.push(b'}');
            }
        }
    }

    /// What ends the stream after its frames: the `data` of the last event.
    pub fn end_marker(&self) -> Option<&'static [u8]> {
        matches!(self.dialect, Dialect::Chat | Dialect::Completions).then_some(b"[DONE]".as_slice())
    }

    fn calls_tool(&self) -> bool {
        self.fault == Some(Fault::ToolCalls)
    }

    /// The pieces of the arguments make up `{"query":" …"}`.
    fn tool_delta(&self, out: &mut Vec<u8>, piece: Piece, oddity: Option<Fault>) {
        out.extend_from_slice(b"\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,");
        if piece.first == 0 {
            out.extend_from_slice(
                b"\"id\":\"call_0\",\"type\":\"function\",\"function\":{\"name\":\"look_up\",",
            );
            out.extend_from_slice(b"\"arguments\":\"{\\\"query\\\":\\\"");
        } else {
            out.extend_from_slice(b"\"function\":{\"arguments\":\"");
        }
        text(out, piece.first, piece.tokens, oddity);
        if piece.last {
            out.extend_from_slice(b"\\\"}");
        }
        out.extend_from_slice(b"\"}}]},\"logprobs\":null,\"finish_reason\":null}]");
    }

    /// Appends the usage, where the dialect has one in each frame, and the closing brace.
    fn close(&self, out: &mut Vec<u8>, usage: Option<&Usage>) {
        if let (Some(usage), Dialect::Chat | Dialect::Completions) = (usage, self.dialect) {
            usage.write(out);
        }
        out.push(b'}');
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

/// The end of Ollama's last object: `,"done":true,…}`.
fn ollama_end(out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>) {
    let (prefill, decode) = (finish.prefill_ns, finish.decode_ns);
    let reason = finish.reason;
    put(
        out,
        format_args!(",\"done\":true,\"done_reason\":\"{reason}\",\"total_duration\":{}", prefill + decode),
    );
    if let Some(usage) = usage {
        put(out, format_args!(",\"prompt_eval_count\":{}", usage.prompt));
    }
    put(out, format_args!(",\"prompt_eval_duration\":{prefill}"));
    if let Some(completion) = usage.and_then(|usage| usage.completion) {
        put(out, format_args!(",\"eval_count\":{completion}"));
    }
    put(out, format_args!(",\"eval_duration\":{decode}}}"));
}

/// TGI's object of details, which is where it reports token counts.
fn tgi_details(out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>) {
    let Some(usage) = usage else {
        out.extend_from_slice(b"null");
        return;
    };
    let reason = if finish.reason == "stop" { "eos_token" } else { finish.reason };
    put(out, format_args!("{{\"finish_reason\":\"{reason}\""));
    if let Some(completion) = usage.completion {
        put(out, format_args!(",\"generated_tokens\":{completion}"));
    }
    put(out, format_args!(",\"seed\":null,\"input_length\":{}}}", usage.prompt));
}
