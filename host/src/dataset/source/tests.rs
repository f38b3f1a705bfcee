use std::io::Write;
use std::path::PathBuf;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

use super::*;

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(name: &str, bytes: &[u8]) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    File { _folder: folder, path }
}

fn read(name: &str, bytes: &[u8], otherwise: Format) -> Result<Vec<Record>, PartError> {
    let file = file(name, bytes);
    let mut source = Source::new(vec![file.path.clone()], otherwise)?;
    let mut records = Vec::new();
    while let Some(record) = source.next()? {
        records.push(record);
    }
    Ok(records)
}

fn values(name: &str, bytes: &[u8], otherwise: Format) -> Vec<Value> {
    read(name, bytes, otherwise).unwrap().iter().map(|record| record.parse().unwrap()).collect()
}

fn wrong(name: &str, bytes: &[u8], otherwise: Format) -> String {
    let told = read(name, bytes, otherwise).unwrap_err().to_string();
    assert!(!told.contains('\n'), "{told}");
    told
}

#[test]
fn json_is_an_array_or_values_in_a_row() {
    let expected = [json!({ "a": "]},[" }), json!([1, 2]), json!("x\"y"), json!(7)];
    for text in [
        r#"[{"a": "]},["}, [1, 2], "x\"y", 7]"#,
        "\u{feff} [\n{\"a\":\"]},[\"}\n,[1,2],\"x\\\"y\",7\n]\n ",
        r#"{"a": "]},["} [1, 2] "x\"y" 7"#,
    ] {
        assert_eq!(values("x.json", text.as_bytes(), Format::Json), expected, "{text}");
    }
    assert!(values("x.json", b" [ ] ", Format::Json).is_empty());
    assert!(values("x.json", b"", Format::Json).is_empty());
    let told = wrong("x.json", b"[1, 2", Format::Json);
    assert!(
        told.starts_with("item 3 of the dataset file") && told.contains("ends within its array"),
        "{told}"
    );
    assert!(wrong("x.json", b"[{\"a\": 1", Format::Json).contains("ends within itself"));
    assert!(wrong("x.json", b"[1] 2", Format::Json).contains("after the end of the array"));
    assert!(wrong("x.json", b"[\"\xff\"]", Format::Json).contains("UTF-8"));
}

#[test]
fn a_member_is_found_whatever_stands_before_it() {
    let text = br#"{"meta": {"list": [1]}, "n": 1, "list": [{"a": 1}, {"a": 2}], "after": 3}"#;
    assert_eq!(values("x.json", text, Format::Member("list")), [json!({ "a": 1 }), json!({ "a": 2 })]);
    for bad in [&b"{}"[..], b"[]", b"{\"list\": 3}", b"{\"other\": [1]}", b""] {
        assert!(wrong("x.json", bad, Format::Member("list")).contains("lacks the list"));
    }
}

#[test]
fn the_name_says_the_format_and_compression_does_not_change_it() {
    let rows = b"a,b\n1,\"x, \"\"y\"\"\nz\"\n";
    let expected = json!({ "a": "1", "b": "x, \"y\"\nz" });
    assert_eq!(values("x.csv", rows, Format::Json), std::slice::from_ref(&expected));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(rows).unwrap();
    assert_eq!(values("x.csv.gz", &gzip.finish().unwrap(), Format::Json), std::slice::from_ref(&expected));
    let zstd = zstd::encode_all(&rows[..], 1).unwrap();
    assert_eq!(values("x.csv.zst", &zstd, Format::Json), [expected]);
    assert_eq!(values("x.tsv", b"a\tb\n1\t2\n", Format::Json), [json!({ "a": "1", "b": "2" })]);
    assert_eq!(values("x", b"1\n\n 2 \n", Format::Json), [json!(1), json!(2)]);
    // Where lines are asked for, CSV and JSON are lines.
    let lines = read("x.csv", b"a,b\n1,2\n", Format::Lines).unwrap();
    assert_eq!(lines[1].text(), Some("1,2"));
    for (rows, told) in [
        (&b"a,b\n1,\"two\n3,4\n"[..], "row 1 of"),
        (b"a,b\n1,2\n3,\"\"\"4\n", "row 2 of"),
        (b"a,\"b\n", "the row of names of"),
    ] {
        let said = wrong("x.csv", rows, Format::Json);
        assert!(said.contains(told) && said.contains("begins a quote that is never closed"), "{said}");
    }
    // A quote that begins nothing is a character.
    let inches = read("x.csv", b"a,b\n5\" wide,\"6\"\"\"\n", Format::Json).unwrap();
    assert_eq!(inches.len(), 1);
    let told = wrong("x.csv", b"a,b\n1\n", Format::Json);
    assert!(told.contains("is not valid CSV"), "{told}");
    assert!(wrong("x.gz", &[0x1f, 0x8b, 0, 1, 2], Format::Json).contains("cannot be read"));
}

fn batch() -> RecordBatch {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x89PNG"), None]));
    let path: ArrayRef = Arc::new(StringArray::from(vec![Some("a.png"), None]));
    let image = StructArray::from(vec![
        (Arc::new(Field::new("bytes", DataType::Binary, true)), bytes),
        (Arc::new(Field::new("path", DataType::Utf8, true)), path),
    ]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(image)),
        ("n", Arc::new(Int64Array::from(vec![Some(-3), None]))),
        ("text", Arc::new(StringArray::from(vec!["ä", "b"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn check_columns(records: &[Record]) {
    assert_eq!(records.len(), 2);
    let first: Value = records[0].parse().unwrap();
    assert_eq!(first, json!({ "image": { "bytes": null, "path": "a.png" }, "n": -3, "text": "ä" }));
    assert_eq!(records[0].blob("image.bytes"), Some(&b"\x89PNG"[..]));
    assert_eq!((records[1].at, records[1].blob("image.bytes")), (2, None));
    let second: Value = records[1].parse().unwrap();
    assert_eq!(second["n"], Value::Null);
}

#[test]
fn parquet_and_arrow_have_rows_and_bytes_beside_them() {
    use parquet::basic::{Compression, GzipLevel, ZstdLevel};
    let batch = batch();
    for compression in [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::UNCOMPRESSED,
    ] {
        let properties =
            parquet::file::properties::WriterProperties::builder().set_compression(compression).build();
        let mut bytes = Vec::new();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        check_columns(&read("x.parquet", &bytes, Format::Json).unwrap());
    }
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    check_columns(&read("x.arrow", &bytes, Format::Json).unwrap());
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    check_columns(&read("x.arrow", &bytes, Format::Json).unwrap());
    assert!(wrong("x.parquet", b"no parquet", Format::Json).contains("cannot be read as Parquet"));
    assert!(wrong("x.arrow", b"no arrow at all", Format::Json).contains("cannot be read as Arrow"));
}

/// Found by the fuzz target `dataset_file`: the reader of Arrow trusts the offsets in a file.
#[test]
fn a_damaged_file_of_columns_is_an_error_of_one_line_wherever_the_damage_is() {
    let batch = batch();
    let (mut stream, mut file, mut parquet) = (Vec::new(), Vec::new(), Vec::new());
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut stream, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    for (name, whole) in [("x.arrow", stream), ("x.arrow", file), ("x.parquet", parquet)] {
        let mut refused = 0;
        for at in (0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x80;
            if let Err(error) = read(name, &damaged, Format::Json) {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                refused += 1;
            }
        }
        assert!(refused > whole.len() / 60, "{refused} of {}", whole.len());
    }
}

#[test]
fn several_files_are_read_one_after_another_and_again() {
    let (a, b) = (file("a.jsonl", b"1\n2\n"), file("b.jsonl", b"3\n"));
    let mut source = Source::new(vec![a.path.clone(), b.path.clone()], Format::Json).unwrap();
    for _ in 0..2 {
        let mut read = Vec::new();
        while let Some(record) = source.next().unwrap() {
            read.push(record.parse::<u32>().unwrap());
        }
        assert_eq!(read, [1, 2, 3]);
        source.rewind().unwrap();
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("\\PC*", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any array, however it is indented, gives its items back; one after another likewise.
    #[test]
    fn any_json_is_taken_apart_at_its_items(items in prop::collection::vec(json_value(), 0..8)) {
        let pretty = serde_json::to_string_pretty(&items).unwrap();
        prop_assert_eq!(&values("x.json", pretty.as_bytes(), Format::Json), &items);
        let dense = serde_json::to_string(&json!({ "a": {"b": "]"}, "list": items })).unwrap();
        prop_assert_eq!(&values("x.json", dense.as_bytes(), Format::Member("list")), &items);
        let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
        prop_assert_eq!(&values("x.jsonl", lines.as_bytes(), Format::Json), &items);
    }

    /// No bytes make a reader panic or go on forever.
    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..6_usize) {
        let (name, format) = [
            ("x.json", Format::Json),
            ("x.json", Format::Member("list")),
            ("x.jsonl", Format::Json),
            ("x.csv", Format::Json),
            ("x.parquet", Format::Json),
            ("x.arrow", Format::Json),
        ][kind];
        let _ = read(name, &bytes, format);
    }
}

#[test]
fn a_cell_holds_json_where_text_is_not_wanted() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        name: String,
        count: u32,
        list: Vec<u64>,
    }
    let read = read("x.csv", b"name,count,list\n7,60,\"[1, 2]\"\nx,many,[]\n", Format::Json).unwrap();
    // The name would be a number if it could be; then the row is none.
    let told = read[0].parse::<Row>().unwrap_err().to_string();
    assert!(told.contains("invalid type: string \"60\", expected u32"), "{told}");
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Counts {
        count: u32,
        list: Vec<u64>,
    }
    assert_eq!(read[0].parse::<Counts>().unwrap(), Counts { count: 60, list: vec![1, 2] });
    let told = read[1].parse::<Counts>().unwrap_err().to_string();
    assert!(told.contains("\"many\", expected u32"), "{told}");
}
