//! Ollama's own chat API.

use super::{Facts, Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

/// All that comes before `"message"`.
pub(super) fn heads(facts: &Facts) -> (String, String) {
    let model = serde_json::Value::from(facts.model);
    let time = chrono::DateTime::from_timestamp(facts.created_s, 0).unwrap_or_default();
    let head = format!("{{\"model\":{model},\"created_at\":\"{}\",", time.format("%Y-%m-%dT%H:%M:%SZ"));
    (head.clone(), head)
}

impl Writer {
    pub(super) fn ollama_piece(&self, sink: &mut Sink, piece: Piece, oddity: Option<Fault>) {
        sink.frame("", |out| {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",");
            out.extend_from_slice(if piece.reasoning {
                b"\"content\":\"\",\"thinking\":\""
            } else {
                b"\"content\":\""
            });
            text(out, piece.first, piece.tokens, oddity);
            out.extend_from_slice(b"\"},\"done\":false}");
        });
    }

    pub(super) fn ollama_finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        sink.frame("", |out| {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",\"content\":\"\"}");
            end(out, finish, usage);
        });
    }

    pub(super) fn ollama_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        let thought = finish.reasoning_tokens;
        out.extend_from_slice(&self.whole_head);
        out.extend_from_slice(b"\"message\":{\"role\":\"assistant\",\"content\":\"");
        text(out, thought, finish.output_tokens - thought, oddity);
        out.push(b'"');
        if thought > 0 {
            out.extend_from_slice(b",\"thinking\":\"");
            words(out, 0, thought);
            out.push(b'"');
        }
        out.push(b'}');
        end(out, finish, usage);
    }
}

/// The end of the last object: `,"done":true,…}`.
fn end(out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>) {
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
