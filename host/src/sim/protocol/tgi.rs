//! The generate API of Text Generation Inference.

use super::{Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

impl Writer {
    pub(super) fn tgi_piece(
        &self,
        sink: &mut Sink,
        piece: Piece,
        oddity: Option<Fault>,
        usage: Option<&Usage>,
        finish: Option<&Finish>,
    ) {
        let index = piece.first + piece.tokens;
        sink.frame("", |out| {
            let id = 100 + index % 1000;
            put(out, format_args!("{{\"index\":{index},\"token\":{{\"id\":{id},\"text\":\""));
            text(out, piece.first, piece.tokens, oddity);
            out.extend_from_slice(b"\",\"logprob\":-0.25,\"special\":false},\"generated_text\":");
            match finish {
                Some(finish) => {
                    out.push(b'"');
                    words(out, 0, finish.output_tokens);
                    out.extend_from_slice(b"\",\"details\":");
                    details(out, finish, usage);
                }
                None => out.extend_from_slice(b"null,\"details\":null"),
            }
            out.push(b'}');
        });
    }

    pub(super) fn tgi_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        out.extend_from_slice(b"{\"generated_text\":\"");
        text(out, 0, finish.output_tokens, oddity);
        out.extend_from_slice(b"\",\"details\":");
        details(out, finish, usage);
        out.push(b'}');
    }
}

/// The object of details, which is where token counts are.
fn details(out: &mut Vec<u8>, finish: &Finish, usage: Option<&Usage>) {
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
