//! Kept replies → rows: the columns of `frames.parquet`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, RecordBatch, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::super::cells::{labels_builder, push_labels};
use super::super::journal::Table;
use super::super::schema::{Kind, element};
use super::{FRAMES_FILE, JOURNAL_FILE};
use crate::contract::Framing;
use crate::record::KeptReply;

/// The names of framings in the column `framing`.
pub(super) const FRAMINGS: [(Framing, &str); 4] =
    [(Framing::Sse, "sse"), (Framing::Ndjson, "ndjson"), (Framing::Raw, "raw"), (Framing::Whole, "whole")];

/// Rows of kept replies that wait to become a batch.
#[derive(Debug)]
pub(in crate::output) struct FrameRows {
    request_id: StringBuilder,
    attempt: Int32Builder,
    status: Int32Builder,
    content_type: StringBuilder,
    framing: StringBuilder,
    sent_ns: Int64Builder,
    error_kind: StringBuilder,
    error: StringBuilder,
    labels: MapBuilder<StringBuilder, StringBuilder>,
    frame_ns: ListBuilder<Int64Builder>,
    frame_event: ListBuilder<StringBuilder>,
    frame_start: ListBuilder<Int64Builder>,
    frame_end: ListBuilder<Int64Builder>,
    payload: BinaryBuilder,
    rows: usize,
    bytes: usize,
}

fn numbers() -> ListBuilder<Int64Builder> {
    ListBuilder::new(Int64Builder::new()).with_field(element(DataType::Int64, false))
}

impl Table for FrameRows {
    type Row = KeptReply;
    const JOURNAL: &'static str = JOURNAL_FILE;
    const FILE: &'static str = FRAMES_FILE;

    fn new() -> FrameRows {
        FrameRows {
            request_id: StringBuilder::new(),
            attempt: Int32Builder::new(),
            status: Int32Builder::new(),
            content_type: StringBuilder::new(),
            framing: StringBuilder::new(),
            sent_ns: Int64Builder::new(),
            error_kind: StringBuilder::new(),
            error: StringBuilder::new(),
            labels: labels_builder(),
            frame_ns: numbers(),
            frame_event: ListBuilder::new(StringBuilder::new()).with_field(element(DataType::Utf8, true)),
            frame_start: numbers(),
            frame_end: numbers(),
            payload: BinaryBuilder::new(),
            rows: 0,
            bytes: 0,
        }
    }

    fn schema() -> SchemaRef {
        let list = |inner, nullable| DataType::List(element(inner, nullable));
        let field = |name, kind, nullable| Field::new(name, kind, nullable);
        Arc::new(Schema::new(vec![
            field("request_id", DataType::Utf8, false),
            field("attempt", DataType::Int32, false),
            field("status", DataType::Int32, false),
            field("content_type", DataType::Utf8, true),
            field("framing", DataType::Utf8, false),
            field("sent_ns", DataType::Int64, false),
            field("error_kind", DataType::Utf8, true),
            field("error", DataType::Utf8, true),
            field("labels", Kind::Labels.data_type(), false),
            field("frame_ns", list(DataType::Int64, false), false),
            field("frame_event", list(DataType::Utf8, true), false),
            field("frame_start", list(DataType::Int64, false), false),
            field("frame_end", list(DataType::Int64, false), false),
            field("payload", DataType::Binary, false),
        ]))
    }

    fn push(&mut self, reply: &KeptReply) {
        let frames = &reply.framed.frames;
        let framing = FRAMINGS.iter().find(|(framing, _)| *framing == reply.framing);
        self.request_id.append_value(&reply.request_id);
        self.attempt.append_value(i32::try_from(reply.attempt).unwrap_or(i32::MAX));
        self.status.append_value(reply.status.into());
        self.content_type.append_option(reply.content_type.as_deref());
        self.framing.append_value(framing.map_or("whole", |(_, name)| name));
        self.sent_ns.append_value(reply.sent.0);
        self.error_kind.append_option(reply.broken.as_ref().map(|failure| failure.kind.name()));
        self.error.append_option(reply.broken.as_ref().map(|failure| failure.message.as_str()));
        push_labels(&mut self.labels, &reply.labels);
        self.frame_ns.append_value(frames.iter().map(|frame| Some(frame.at.0)));
        self.frame_event.append_value(frames.iter().map(|frame| frame.event.as_deref()));
        self.frame_start.append_value(frames.iter().map(|frame| Some(frame.range.start as i64)));
        self.frame_end.append_value(frames.iter().map(|frame| Some(frame.range.end as i64)));
        self.payload.append_value(&reply.framed.payload);
        self.rows += 1;
        self.bytes += 256 + reply.framed.payload.len() + 40 * frames.len();
    }

    fn waiting(&self) -> usize {
        self.rows
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.request_id.finish()),
            Arc::new(self.attempt.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.content_type.finish()),
            Arc::new(self.framing.finish()),
            Arc::new(self.sent_ns.finish()),
            Arc::new(self.error_kind.finish()),
            Arc::new(self.error.finish()),
            Arc::new(self.labels.finish()),
            Arc::new(self.frame_ns.finish()),
            Arc::new(self.frame_event.finish()),
            Arc::new(self.frame_start.finish()),
            Arc::new(self.frame_end.finish()),
            Arc::new(self.payload.finish()),
        ];
        RecordBatch::try_new(FrameRows::schema(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_every_column() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/records.md");
        let text = std::fs::read_to_string(document).unwrap();
        let section = text.split("## Replies").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        for field in FrameRows::schema().fields() {
            assert!(section.contains(&format!("`{}`", field.name())), "{}", field.name());
        }
    }
}
