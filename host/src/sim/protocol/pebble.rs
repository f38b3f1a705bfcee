//! The protocol that the plugins in `examples/` speak, which no server does: `examples/protocol.md`.

use super::{Facts, Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

/// All of the first event.
pub(super) fn heads(facts: &Facts) -> (String, String) {
    (format!("{{\"model\":{}}}", serde_json::Value::from(facts.model)), String::new())
}

impl Writer {
    pub(super) fn pebble_opening(&self, sink: &mut Sink) {
        sink.data("open", &self.head);
    }

    pub(super) fn pebble_piece(&self, sink: &mut Sink, piece: Piece, oddity: Option<Fault>) {
        sink.frame(if piece.reasoning { "thought" } else { "piece" }, |out| {
            out.extend_from_slice(b"{\"text\":\"");
            text(out, piece.first, piece.tokens, oddity);
            put(out, format_args!("\",\"tokens\":{}}}", piece.tokens));
        });
    }

    pub(super) fn pebble_finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        sink.frame("close", |out| {
            out.push(b'{');
            end(out, finish, usage);
        });
    }

    pub(super) fn pebble_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        let thought = finish.reasoning_tokens;
        out.push(b'{');
        if thought > 0 {
            out.extend_from_slice(b"\"thought\":\"");
            words(out, 0, thought);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"text\":\"");
        text(out, thought, finish.output_tokens - thought, oddity);
        out.extend_from_slice(b"\",");
        end(out, finish, usage);
    }
}

/// Why the answer ended, and the counts.
fn end(out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>) {
    put(out, format_args!("\"reason\":\"{}\"", finish.reason));
    let count = |out: &mut Vec<u8>, name, count: Option<u64>| {
        if let Some(count) = count {
            put(out, format_args!(",\"{name}\":{count}"));
        }
    };
    if let Some(usage) = usage {
        count(out, "prompt_tokens", Some(usage.prompt));
        count(out, "cached_tokens", usage.cached);
        count(out, "output_tokens", usage.completion);
        count(out, "thought_tokens", usage.reasoning);
    }
    out.push(b'}');
}
