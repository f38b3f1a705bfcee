//! Anthropic's Messages API: a message is a list of blocks, each begun and ended by an event.

use super::{Facts, Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

/// The members of a message before its content.
pub(super) fn heads(facts: &Facts) -> (String, String) {
    let model = serde_json::Value::from(facts.model);
    let head = format!(
        "{{\"id\":\"msg_{:024x}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":{model},",
        facts.id
    );
    (head.clone(), head)
}

impl Writer {
    pub(super) fn anthropic_opening(&self, sink: &mut Sink, usage: Option<&Usage>) {
        sink.frame("message_start", |out| {
            out.extend_from_slice(b"{\"type\":\"message_start\",\"message\":");
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"\"content\":[],\"stop_reason\":null,\"stop_sequence\":null");
            put_usage(out, usage, usage.and_then(|usage| usage.completion));
            out.extend_from_slice(b"}}");
        });
        sink.data("ping", b"{\"type\":\"ping\"}");
    }

    pub(super) fn anthropic_piece(&self, sink: &mut Sink, piece: Piece, oddity: Option<Fault>) {
        let block = piece.block(self.reasoned);
        if piece.begins {
            if block > 0 {
                end_block(sink, block - 1);
            }
            let content = match (self.calls_tool(), piece.reasoning) {
                (true, _) => "\"type\":\"tool_use\",\"id\":\"toolu_0\",\"name\":\"look_up\",\"input\":{}",
                (false, true) => "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"",
                (false, false) => "\"type\":\"text\",\"text\":\"\"",
            };
            sink.frame("content_block_start", |out| {
                put(
                    out,
                    format_args!(
                        "{{\"type\":\"content_block_start\",\"index\":{block},\"content_block\":{{{content}}}}}"
                    ),
                );
            });
        }
        let (kind, member) = match (self.calls_tool(), piece.reasoning) {
            (true, _) => ("input_json_delta", "partial_json"),
            (false, true) => ("thinking_delta", "thinking"),
            (false, false) => ("text_delta", "text"),
        };
        sink.frame("content_block_delta", |out| {
            put(out, format_args!("{{\"type\":\"content_block_delta\",\"index\":{block},"));
            put(out, format_args!("\"delta\":{{\"type\":\"{kind}\",\"{member}\":"));
            self.quoted(out, piece, oddity);
            out.extend_from_slice(b"}}");
        });
    }

    pub(super) fn anthropic_finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        let answered = finish.output_tokens > self.reasoned;
        end_block(sink, u8::from(self.reasoned > 0 && answered));
        sink.frame("message_delta", |out| {
            let reason = stop_reason(finish.reason);
            put(out, format_args!("{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\","));
            out.extend_from_slice(b"\"stop_sequence\":null}");
            if let Some(completion) = usage.and_then(|usage| usage.completion) {
                put(out, format_args!(",\"usage\":{{\"output_tokens\":{completion}}}"));
            }
            out.push(b'}');
        });
    }

    pub(super) fn anthropic_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        let thought = finish.reasoning_tokens;
        let answer = finish.output_tokens - thought;
        out.extend_from_slice(&self.whole_head);
        out.extend_from_slice(b"\"content\":[");
        if thought > 0 {
            out.extend_from_slice(b"{\"type\":\"thinking\",\"signature\":\"\",\"thinking\":\"");
            words(out, 0, thought);
            out.extend_from_slice(if answer > 0 { b"\"}," } else { b"\"}" });
        }
        if self.calls_tool() {
            out.extend_from_slice(b"{\"type\":\"tool_use\",\"id\":\"toolu_0\",\"name\":\"look_up\",");
            out.extend_from_slice(b"\"input\":{\"query\":\"");
            text(out, thought, answer, oddity);
            out.extend_from_slice(b"\"}}");
        } else if answer > 0 {
            out.extend_from_slice(b"{\"type\":\"text\",\"text\":\"");
            text(out, thought, answer, oddity);
            out.extend_from_slice(b"\"}");
        }
        put(out, format_args!("],\"stop_reason\":\"{}\",\"stop_sequence\":null", stop_reason(finish.reason)));
        put_usage(out, usage, usage.and_then(|usage| usage.completion));
        out.push(b'}');
    }
}

fn end_block(sink: &mut Sink, block: u8) {
    sink.frame("content_block_stop", |out| {
        put(out, format_args!("{{\"type\":\"content_block_stop\",\"index\":{block}}}"));
    });
}

fn stop_reason(reason: &str) -> &'static str {
    match reason {
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        _ => "end_turn",
    }
}

/// Appends `,"usage":{…}`. Cached tokens stand beside the others and not among them.
fn put_usage(out: &mut Vec<u8>, usage: Option<&Usage>, output: Option<u64>) {
    let Some(usage) = usage else { return };
    let uncached = usage.prompt - usage.cached.unwrap_or(0);
    put(out, format_args!(",\"usage\":{{\"input_tokens\":{uncached}"));
    if let Some(cached) = usage.cached {
        put(out, format_args!(",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":{cached}"));
    }
    if let Some(output) = output {
        put(out, format_args!(",\"output_tokens\":{output}"));
    }
    out.push(b'}');
}
