//! Values and the columns of Arrow that they are collected in.

use std::collections::HashMap;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder,
    MapBuilder, MapFieldNames, StringBuilder,
};
use arrow::datatypes::{DataType, Field};

use super::schema::{Kind, MAP_NAMES, element};
use crate::record::TokenFrame;
use crate::units::Nanos;

/// The longest text that a cell takes, in bytes; what is beyond it is cut off. A batch must stay
/// under the 2 GiB that Arrow's 32-bit offsets reach.
const LONGEST_TEXT: usize = 64 << 20;

/// One value of a row, borrowed from what it is of.
pub(super) enum Cell<'a> {
    Null,
    Text(&'a str),
    Flag(bool),
    Int(i64),
    Double(f64),
    Doubles(&'a [f64]),
    Times(&'a [TokenFrame]),
    Moments(&'a [Nanos]),
    Tokens(&'a [TokenFrame]),
    Labels(&'a [(String, String)]),
}

impl<'a> Cell<'a> {
    /// The cell of a value, or null.
    pub(super) fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell<'a>) -> Cell<'a> {
        value.map_or(Cell::Null, cell)
    }

    /// A count; one that is too large becomes the largest.
    pub(super) fn count(count: u64) -> Cell<'a> {
        Cell::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// What a column's values are collected in.
#[derive(Debug)]
pub(super) enum Builder {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Double(Float64Builder),
    Doubles(ListBuilder<Float64Builder>),
    Int64s(ListBuilder<Int64Builder>),
    Int32s(ListBuilder<Int32Builder>),
    Labels(MapBuilder<StringBuilder, StringBuilder>),
}

impl Builder {
    pub(super) fn new(kind: Kind) -> Builder {
        match kind {
            Kind::Text => Builder::Text(StringBuilder::new()),
            Kind::Flag => Builder::Flag(BooleanBuilder::new()),
            Kind::Int32 => Builder::Int32(Int32Builder::new()),
            Kind::Int64 => Builder::Int64(Int64Builder::new()),
            Kind::Double => Builder::Double(Float64Builder::new()),
            Kind::Doubles => {
                let field = element(DataType::Float64, false);
                Builder::Doubles(ListBuilder::new(Float64Builder::new()).with_field(field))
            }
            Kind::Int64s => {
                let field = element(DataType::Int64, false);
                Builder::Int64s(ListBuilder::new(Int64Builder::new()).with_field(field))
            }
            Kind::Int32s => {
                let field = element(DataType::Int32, true);
                Builder::Int32s(ListBuilder::new(Int32Builder::new()).with_field(field))
            }
            Kind::Labels => Builder::Labels(labels_builder()),
        }
    }

    /// Appends a cell. One that does not belong here becomes null, which is refused when a
    /// batch is made where the column takes none.
    pub(super) fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Builder::Text(builder), Cell::Text(text)) => builder.append_value(cut(text)),
            (Builder::Text(builder), _) => builder.append_null(),
            (Builder::Flag(builder), Cell::Flag(flag)) => builder.append_value(*flag),
            (Builder::Flag(builder), _) => builder.append_null(),
            (Builder::Int32(builder), Cell::Int(value)) => {
                builder.append_value(i32::try_from(*value).unwrap_or(i32::MAX));
            }
            (Builder::Int32(builder), _) => builder.append_null(),
            (Builder::Int64(builder), Cell::Int(value)) => builder.append_value(*value),
            (Builder::Int64(builder), _) => builder.append_null(),
            (Builder::Double(builder), Cell::Double(value)) => builder.append_value(*value),
            (Builder::Double(builder), _) => builder.append_null(),
            (Builder::Doubles(builder), Cell::Doubles(values)) => {
                builder.values().append_slice(values);
                builder.append(true);
            }
            (Builder::Doubles(builder), _) => builder.append_null(),
            (Builder::Int64s(builder), Cell::Times(frames)) => {
                builder.append_value(frames.iter().map(|frame| Some(frame.at.0)));
            }
            (Builder::Int64s(builder), Cell::Moments(moments)) => {
                builder.append_value(moments.iter().map(|at| Some(at.0)));
            }
            (Builder::Int64s(builder), _) => builder.append_null(),
            (Builder::Int32s(builder), Cell::Tokens(frames)) => {
                let saturated = |tokens: u32| i32::try_from(tokens).unwrap_or(i32::MAX);
                builder.append_value(frames.iter().map(|frame| frame.tokens.map(saturated)));
            }
            (Builder::Int32s(builder), _) => builder.append_null(),
            (Builder::Labels(builder), Cell::Labels(labels)) => push_labels(builder, labels),
            (Builder::Labels(builder), _) => push_labels(builder, &[]),
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Text(builder) => ArrayBuilder::finish(builder),
            Builder::Flag(builder) => ArrayBuilder::finish(builder),
            Builder::Int32(builder) => ArrayBuilder::finish(builder),
            Builder::Int64(builder) => ArrayBuilder::finish(builder),
            Builder::Double(builder) => ArrayBuilder::finish(builder),
            Builder::Doubles(builder) => ArrayBuilder::finish(builder),
            Builder::Int64s(builder) => ArrayBuilder::finish(builder),
            Builder::Int32s(builder) => ArrayBuilder::finish(builder),
            Builder::Labels(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// A builder of a column of labels.
pub(super) fn labels_builder() -> MapBuilder<StringBuilder, StringBuilder> {
    let (entry, key, value) = MAP_NAMES;
    let names = MapFieldNames { entry: entry.into(), key: key.into(), value: value.into() };
    let builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    builder.with_values_field(Field::new(value, DataType::Utf8, false))
}

/// Appends labels, each name once, as readers of Parquet maps insist: the later value counts.
pub(super) fn push_labels(
    builder: &mut MapBuilder<StringBuilder, StringBuilder>,
    labels: &[(String, String)],
) {
    let last: HashMap<&str, usize> =
        labels.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect();
    for (at, (name, value)) in labels.iter().enumerate() {
        if last.get(name.as_str()) == Some(&at) {
            builder.keys().append_value(cut(name));
            builder.values().append_value(cut(value));
        }
    }
    // It only fails if there are not as many keys as values, and each was appended with the other.
    let _ = builder.append(true);
}

/// `text` up to [`LONGEST_TEXT`], whole characters only.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}
