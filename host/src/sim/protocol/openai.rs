//! Chats and plain completions.

use super::{Dialect, Facts, Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

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

/// All that comes before `"choices"`, of a frame and of a whole reply.
pub(super) fn heads(dialect: Dialect, facts: &Facts) -> (String, String) {
    let model = serde_json::Value::from(facts.model);
    let (id, created_s) = (facts.id, facts.created_s);
    let head = |prefix: &str, object: &str| {
        format!(
            "{{\"id\":\"{prefix}-{id:024x}\",\"object\":\"{object}\",\"created\":{created_s},\"model\":{model},"
        )
    };
    match dialect {
        Dialect::Chat => (head("chatcmpl", "chat.completion.chunk"), head("chatcmpl", "chat.completion")),
        _ => (head("cmpl", "text_completion"), head("cmpl", "text_completion")),
    }
}

impl Writer {
    /// The frame with a role and no text.
    pub(super) fn chat_role(&self, sink: &mut Sink, usage: Option<&Usage>) {
        sink.frame("", |out| {
            out.extend_from_slice(&self.head);
            let delta: &[u8] = if self.calls_tool() {
                b"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},"
            } else {
                b"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
            };
            out.extend_from_slice(delta);
            out.extend_from_slice(b"\"logprobs\":null,\"finish_reason\":null}]");
            close(out, usage);
        });
    }

    pub(super) fn openai_piece(
        &self,
        sink: &mut Sink,
        piece: Piece,
        oddity: Option<Fault>,
        usage: Option<&Usage>,
    ) {
        sink.frame("", |out| {
            out.extend_from_slice(&self.head);
            if self.dialect == Dialect::Completions {
                out.extend_from_slice(b"\"choices\":[{\"index\":0,\"text\":\"");
                text(out, piece.first, piece.tokens, oddity);
                out.extend_from_slice(b"\",\"logprobs\":null,\"finish_reason\":null}]");
            } else if self.calls_tool() {
                out.extend_from_slice(b"\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,");
                out.extend_from_slice(if piece.first == 0 {
                    b"\"id\":\"call_0\",\"type\":\"function\",\"function\":{\"name\":\"look_up\",\"arguments\":"
                } else {
                    b"\"function\":{\"arguments\":"
                });
                self.quoted(out, piece, oddity);
                out.extend_from_slice(b"}}]},\"logprobs\":null,\"finish_reason\":null}]");
            } else {
                out.extend_from_slice(b"\"choices\":[{\"index\":0,\"delta\":{\"");
                out.extend_from_slice(if piece.reasoning { b"reasoning_content" } else { b"content" });
                out.extend_from_slice(b"\":\"");
                text(out, piece.first, piece.tokens, oddity);
                out.extend_from_slice(b"\"},\"logprobs\":null,\"finish_reason\":null}]");
            }
            close(out, usage);
        });
    }

    pub(super) fn openai_finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        let output = if self.dialect == Dialect::Chat { "\"delta\":{}" } else { "\"text\":\"\"" };
        let reason = finish.reason;
        sink.frame("", |out| {
            out.extend_from_slice(&self.head);
            put(
                out,
                format_args!(
                    "\"choices\":[{{\"index\":0,{output},\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"
                ),
            );
            close(out, usage);
        });
    }

    pub(super) fn openai_usage(&self, sink: &mut Sink, usage: &Usage) {
        sink.frame("", |out| {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"\"choices\":[]");
            close(out, Some(usage));
        });
    }

    pub(super) fn openai_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        let (all, thought, reason) = (finish.output_tokens, finish.reasoning_tokens, finish.reason);
        out.extend_from_slice(&self.whole_head);
        if self.dialect == Dialect::Completions {
            out.extend_from_slice(b"\"choices\":[{\"index\":0,\"text\":\"");
            text(out, thought, all - thought, oddity);
            put(out, format_args!("\",\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"));
            close(out, usage);
            return;
        }
        out.extend_from_slice(b"\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
        let answer =
            Piece { first: thought, tokens: all - thought, reasoning: false, begins: true, last: true };
        if self.calls_tool() {
            out.extend_from_slice(b"null,\"tool_calls\":[{\"id\":\"call_0\",\"type\":\"function\",");
            out.extend_from_slice(b"\"function\":{\"name\":\"look_up\",\"arguments\":");
            self.quoted(out, answer, oddity);
            out.extend_from_slice(b"}}]");
        } else {
            self.quoted(out, answer, oddity);
        }
        if thought > 0 {
            out.extend_from_slice(b",\"reasoning_content\":\"");
            words(out, 0, thought);
            out.push(b'"');
        }
        put(out, format_args!("}},\"logprobs\":null,\"finish_reason\":\"{reason}\"}}]"));
        close(out, usage);
    }
}

/// Appends the usage, if there is one, and the closing brace.
fn close(out: &mut Vec<u8>, usage: Option<&Usage>) {
    if let Some(usage) = usage {
        usage.write(out);
    }
    out.push(b'}');
}
