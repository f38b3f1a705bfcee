//! DashScope's own API. Each result has the counts so far, and the last one says why it ended.

use super::{Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

impl Writer {
    pub(super) fn dashscope_piece(
        &self,
        sink: &mut Sink,
        piece: Piece,
        oddity: Option<Fault>,
        usage: Option<&Usage>,
    ) {
        sink.frame("result", |out| {
            out.extend_from_slice(BEGIN);
            if piece.reasoning {
                out.extend_from_slice(b"\",\"reasoning_content\":\"");
            }
            text(out, piece.first, piece.tokens, oddity);
            self.dashscope_end(out, "null", usage);
        });
    }

    pub(super) fn dashscope_finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        sink.frame("result", |out| {
            out.extend_from_slice(BEGIN);
            self.dashscope_end(out, finish.reason, usage);
        });
    }

    pub(super) fn dashscope_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        let thought = finish.reasoning_tokens;
        out.extend_from_slice(BEGIN);
        text(out, thought, finish.output_tokens - thought, oddity);
        if thought > 0 {
            out.extend_from_slice(b"\",\"reasoning_content\":\"");
            words(out, 0, thought);
        }
        self.dashscope_end(out, finish.reason, usage);
    }

    /// All that follows the text of the message.
    fn dashscope_end(&self, out: &mut Vec<u8>, reason: &str, usage: Option<&Usage>) {
        put(out, format_args!("\"}},\"finish_reason\":\"{reason}\"}}]}}"));
        if let Some(usage) = usage {
            put(out, format_args!(",\"usage\":{{\"input_tokens\":{}", usage.prompt));
            if let Some(completion) = usage.completion {
                let total = usage.prompt + completion;
                put(out, format_args!(",\"output_tokens\":{completion},\"total_tokens\":{total}"));
            }
            if let Some(cached) = usage.cached {
                put(out, format_args!(",\"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}"));
            }
            if let Some(reasoning) = usage.reasoning {
                put(out, format_args!(",\"output_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}"));
            }
            out.push(b'}');
        }
        put(out, format_args!(",\"request_id\":\"{:032x}\"}}", self.id));
    }
}

/// All that comes before the text of the message.
const BEGIN: &[u8] = b"{\"output\":{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"";
