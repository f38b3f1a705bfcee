//! The values of a batch of records, without Arrow around them.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::schema::{COLUMNS, Kind};

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a str),
    Flag(bool),
    Int(i64),
    Double(f64),
    Doubles(&'a [f64]),
    Int64s(&'a [i64]),
    Int32s(Vec<Option<i32>>),
    Labels(Vec<(&'a str, &'a str)>),
}

/// As JSON: lists become arrays, labels an object.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_none(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Double(value) => serializer.serialize_f64(*value),
            Value::Doubles(values) => serializer.collect_seq(*values),
            Value::Int64s(values) => serializer.collect_seq(*values),
            Value::Int32s(values) => serializer.collect_seq(values),
            Value::Labels(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (name, value) in pairs {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// The columns of a batch, in the order of [`COLUMNS`].
pub(super) struct Columns<'a>(Vec<Values<'a>>);

enum Values<'a> {
    Text(&'a StringArray),
    Flag(&'a BooleanArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Double(&'a Float64Array),
    Doubles(&'a ListArray),
    Int64s(&'a ListArray),
    Int32s(&'a ListArray),
    Labels(&'a MapArray),
}

impl<'a> Columns<'a> {
    /// Fails, with the column's name, if one is missing or of another type.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Columns<'a>, String> {
        let columns = COLUMNS.iter().map(|column| {
            let array = batch.column_by_name(column.name);
            let values = array.filter(|array| array.data_type() == &column.kind.data_type());
            values.map(|array| values_of(array, column.kind)).ok_or_else(|| column.name.to_string())
        });
        let columns: Result<_, String> = columns.collect();
        columns.map(Columns).map_err(|name| format!("the column \"{name}\" is missing or of another type"))
    }

    /// The values of a row.
    pub(super) fn row(&self, row: usize) -> Vec<Value<'a>> {
        self.0.iter().map(|values| values.at(row)).collect()
    }
}

fn values_of(array: &ArrayRef, kind: Kind) -> Values<'_> {
    match kind {
        Kind::Text => Values::Text(array.as_string()),
        Kind::Flag => Values::Flag(array.as_boolean()),
        Kind::Int32 => Values::Int32(array.as_primitive::<Int32Type>()),
        Kind::Int64 => Values::Int64(array.as_primitive::<Int64Type>()),
        Kind::Double => Values::Double(array.as_primitive::<Float64Type>()),
        Kind::Doubles => Values::Doubles(array.as_list()),
        Kind::Int64s => Values::Int64s(array.as_list()),
        Kind::Int32s => Values::Int32s(array.as_list()),
        Kind::Labels => Values::Labels(array.as_map()),
    }
}

impl<'a> Values<'a> {
    fn at(&self, row: usize) -> Value<'a> {
        let range = |offsets: &[i32]| offsets[row] as usize..offsets[row + 1] as usize;
        match *self {
            Values::Text(array) if array.is_valid(row) => Value::Text(array.value(row)),
            Values::Flag(array) if array.is_valid(row) => Value::Flag(array.value(row)),
            Values::Int32(array) if array.is_valid(row) => Value::Int(array.value(row).into()),
            Values::Int64(array) if array.is_valid(row) => Value::Int(array.value(row)),
            Values::Double(array) if array.is_valid(row) => Value::Double(array.value(row)),
            Values::Doubles(array) if array.is_valid(row) => {
                let values = array.values().as_primitive::<Float64Type>().values();
                Value::Doubles(&values[range(array.value_offsets())])
            }
            Values::Int64s(array) if array.is_valid(row) => {
                let values = array.values().as_primitive::<Int64Type>().values();
                Value::Int64s(&values[range(array.value_offsets())])
            }
            Values::Int32s(array) if array.is_valid(row) => {
                let values = array.values().as_primitive::<Int32Type>();
                let value = |at| values.is_valid(at).then(|| values.value(at));
                Value::Int32s(range(array.value_offsets()).map(value).collect())
            }
            Values::Labels(array) if array.is_valid(row) => {
                let (names, values) = (array.keys().as_string::<i32>(), array.values().as_string::<i32>());
                let pair = |at| (names.value(at), values.value(at));
                Value::Labels(range(array.value_offsets()).map(pair).collect())
            }
            _ => Value::Null,
        }
    }
}
