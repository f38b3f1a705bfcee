//! OpenAI's Responses API: a response is a list of items, and everything about it is an event.

use super::{Facts, Finish, Piece, Usage, Writer, put, text, words};
use crate::sim::faults::Fault;
use crate::sim::framer::Sink;

/// The members of a response before its status.
pub(super) fn heads(facts: &Facts) -> (String, String) {
    let model = serde_json::Value::from(facts.model);
    let head = format!(
        "{{\"id\":\"resp_{:024x}\",\"object\":\"response\",\"created_at\":{},\"model\":{model},",
        facts.id, facts.created_s
    );
    (head.clone(), head)
}

impl Writer {
    pub(super) fn responses_opening(&self, sink: &mut Sink) {
        for kind in ["response.created", "response.in_progress"] {
            self.event(sink, kind, |out| {
                out.extend_from_slice(b"\"response\":");
                out.extend_from_slice(&self.head);
                out.extend_from_slice(b"\"status\":\"in_progress\",\"error\":null,");
                out.extend_from_slice(b"\"incomplete_details\":null,\"output\":[],\"usage\":null}");
            });
        }
    }

    pub(super) fn responses_piece(&self, sink: &mut Sink, piece: Piece, oddity: Option<Fault>) {
        let block = piece.block(self.reasoned);
        if piece.begins {
            if block > 0 {
                self.item_done(sink, 0, &Item::Reasoning(self.reasoned));
            }
            let item = match (self.calls_tool(), piece.reasoning) {
                (true, _) => {
                    "\"id\":\"fc_0\",\"type\":\"function_call\",\"status\":\"in_progress\",\
                     \"arguments\":\"\",\"call_id\":\"call_0\",\"name\":\"look_up\""
                }
                (false, true) => "\"id\":\"rs_0\",\"type\":\"reasoning\",\"summary\":[]",
                (false, false) => {
                    "\"id\":\"msg_0\",\"type\":\"message\",\"status\":\"in_progress\",\
                     \"content\":[],\"role\":\"assistant\""
                }
            };
            self.event(sink, "response.output_item.added", |out| {
                put(out, format_args!("\"output_index\":{block},\"item\":{{{item}}}"));
            });
            if !self.calls_tool() && !piece.reasoning {
                self.event(sink, "response.content_part.added", |out| {
                    put(out, format_args!("\"item_id\":\"msg_0\",\"output_index\":{block},"));
                    out.extend_from_slice(b"\"content_index\":0,\"part\":{\"type\":\"output_text\",");
                    out.extend_from_slice(b"\"annotations\":[],\"text\":\"\"}");
                });
            }
        }
        let (kind, id, position) = match (self.calls_tool(), piece.reasoning) {
            (true, _) => ("response.function_call_arguments.delta", "fc_0", ""),
            (false, true) => ("response.reasoning_text.delta", "rs_0", "\"content_index\":0,"),
            (false, false) => ("response.output_text.delta", "msg_0", "\"content_index\":0,"),
        };
        self.event(sink, kind, |out| {
            put(out, format_args!("\"item_id\":\"{id}\",\"output_index\":{block},{position}\"delta\":"));
            self.quoted(out, piece, oddity);
        });
    }

    pub(super) fn responses_finish(&self, sink: &mut Sink, finish: &Finish, usage: Option<&Usage>) {
        // The item of the reasoning was done when the answer began.
        let items = self.items(finish);
        if let Some((last, before)) = items.split_last() {
            self.item_done(sink, before.len(), last);
        }
        let kind = if finish.reason == "length" { "response.incomplete" } else { "response.completed" };
        self.event(sink, kind, |out| {
            out.extend_from_slice(b"\"response\":");
            self.responses_whole(out, finish, usage, None);
        });
    }

    pub(super) fn responses_whole(
        &self,
        out: &mut Vec<u8>,
        finish: &Finish,
        usage: Option<&Usage>,
        oddity: Option<Fault>,
    ) {
        out.extend_from_slice(&self.whole_head);
        out.extend_from_slice(match finish.reason {
            "length" => b"\"status\":\"incomplete\",\"error\":null,\
                  \"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":["
                .as_slice(),
            _ => b"\"status\":\"completed\",\"error\":null,\"incomplete_details\":null,\"output\":[",
        });
        for (index, item) in self.items(finish).into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            item.write(out, oddity);
        }
        out.push(b']');
        if let Some(usage) = usage {
            put_usage(out, usage);
        }
        out.push(b'}');
    }

    fn items(&self, finish: &Finish) -> Vec<Item> {
        let (thought, all) = (finish.reasoning_tokens, finish.output_tokens);
        let mut items = Vec::new();
        if thought > 0 {
            items.push(Item::Reasoning(thought));
        }
        if self.calls_tool() {
            items.push(Item::Call(all));
        } else if all > thought {
            items.push(Item::Message(thought, all - thought));
        }
        items
    }

    fn item_done(&self, sink: &mut Sink, index: usize, item: &Item) {
        self.event(sink, "response.output_item.done", |out| {
            put(out, format_args!("\"output_index\":{index},\"item\":"));
            item.write(out, None);
        });
    }

    /// An event whose members, after its type and number, `write` appends.
    fn event(&self, sink: &mut Sink, kind: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let number = sink.frames();
        sink.frame(kind, |out| {
            put(out, format_args!("{{\"type\":\"{kind}\",\"sequence_number\":{number},"));
            write(out);
            out.push(b'}');
        });
    }
}

/// An item of a response that is complete.
enum Item {
    /// So many tokens from the first on.
    Reasoning(u64),
    /// The first token, and how many.
    Message(u64, u64),
    /// So many tokens from the first on.
    Call(u64),
}

impl Item {
    fn write(&self, out: &mut Vec<u8>, oddity: Option<Fault>) {
        match *self {
            Item::Reasoning(tokens) => {
                out.extend_from_slice(
                    b"{\"id\":\"rs_0\",\"type\":\"reasoning\",\"summary\":[],\"content\":[",
                );
                out.extend_from_slice(b"{\"type\":\"reasoning_text\",\"text\":\"");
                words(out, 0, tokens);
                out.extend_from_slice(b"\"}]}");
            }
            Item::Message(first, tokens) => {
                out.extend_from_slice(b"{\"id\":\"msg_0\",\"type\":\"message\",\"status\":\"completed\",");
                out.extend_from_slice(b"\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",");
                out.extend_from_slice(b"\"annotations\":[],\"text\":\"");
                text(out, first, tokens, oddity);
                out.extend_from_slice(b"\"}]}");
            }
            Item::Call(tokens) => {
                out.extend_from_slice(
                    b"{\"id\":\"fc_0\",\"type\":\"function_call\",\"status\":\"completed\",",
                );
                out.extend_from_slice(b"\"call_id\":\"call_0\",\"name\":\"look_up\",");
                out.extend_from_slice(b"\"arguments\":\"{\\\"query\\\":\\\"");
                text(out, 0, tokens, oddity);
                out.extend_from_slice(b"\\\"}\"}");
            }
        }
    }
}

/// Appends `,"usage":{…}`.
fn put_usage(out: &mut Vec<u8>, usage: &Usage) {
    put(out, format_args!(",\"usage\":{{\"input_tokens\":{}", usage.prompt));
    if let Some(cached) = usage.cached {
        put(out, format_args!(",\"input_tokens_details\":{{\"cached_tokens\":{cached}}}"));
    }
    if let Some(completion) = usage.completion {
        let total = usage.prompt + completion;
        put(out, format_args!(",\"output_tokens\":{completion},\"total_tokens\":{total}"));
    }
    if let Some(reasoning) = usage.reasoning {
        put(out, format_args!(",\"output_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}"));
    }
    out.push(b'}');
}
