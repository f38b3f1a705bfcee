//! Files that cannot be used, in every format and for every dataset that reads one: one clear line that
//! names the file, exit code 2, and nothing sent.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::raw_server::RawServer;
use crate::running::{chat, command, data};

/// Every dataset that reads a file, and the flags that it needs.
const READERS: [(&str, &str); 17] = [
    ("openqa", ""),
    ("longalpaca", ""),
    ("line_by_line", ""),
    ("custom", ""),
    ("share_gpt_zh", ""),
    ("share_gpt_en_multi_turn", "--multi-turn"),
    ("custom_multi_turn", "--multi-turn"),
    ("swe_smith", "--multi-turn --max-turns 2"),
    ("trie_agentic_coding", "--multi-turn"),
    ("workload_trace", "--open-loop"),
    ("mooncake_trace", "--open-loop"),
    ("azure_trace", "--open-loop"),
    ("flickr8k", ""),
    ("kontext_bench", ""),
    ("embedding", "--api embedding"),
    ("embedding_batch", "--api embedding"),
    ("rerank", "--api rerank"),
];

/// Columns that nobody reads.
fn columns() -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("other", DataType::Utf8, false),
        Field::new("number", DataType::Int64, false),
    ]);
    let text = Arc::new(StringArray::from(vec!["a", "b"]));
    RecordBatch::try_new(Arc::new(schema), vec![text, Arc::new(Int64Array::from(vec![1, 2]))]).unwrap()
}

fn write_columns(folder: &Path) {
    let batch = columns();
    let create = |name: &str| File::create(folder.join(name)).unwrap();
    let mut parquet =
        parquet::arrow::ArrowWriter::try_new(create("columns.parquet"), batch.schema(), None).unwrap();
    parquet.write(&batch).unwrap();
    parquet.close().unwrap();
    let mut arrow =
        arrow::ipc::writer::FileWriter::try_new(create("columns.arrow"), &batch.schema()).unwrap();
    arrow.write(&batch).unwrap();
    arrow.finish().unwrap();
    for name in ["columns.parquet", "columns.arrow"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        std::fs::write(folder.join(format!("cut.{name}")), &bytes[..bytes.len() / 2]).unwrap();
    }
}

/// Files that no dataset can read, unless it takes any line of text.
fn write_files(folder: &Path) -> Vec<String> {
    let mut cut = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    cut.write_all(b"{\"x\": 1}\n").unwrap();
    let cut = cut.finish().unwrap();
    for (name, bytes) in [
        ("empty.jsonl", &b""[..]),
        ("blank.jsonl", b"\n  \n\n"),
        ("empty.json", b"[]"),
        ("cut.json", b"[{\"x\": 1},"),
        ("scalar.json", b"5"),
        ("null.jsonl", b"null\n"),
        ("members.jsonl", b"{\"other\": 1}\n"),
        ("cut.jsonl", b"{\"que"),
        ("latin.jsonl", b"{\"question\": \"\xe9\"}\n"),
        ("empty.csv", b""),
        ("head.csv", b"question,instruction,query\n"),
        ("columns.csv", b"a,b\n1,2\n"),
        ("ragged.csv", b"a,b\n1\n"),
        ("quote.csv", b"question,instruction,query\n\"never closed\n"),
        ("empty.parquet", b""),
        ("junk.parquet", b"PAR1 no PAR1"),
        ("empty.arrow", b""),
        ("short.arrow", b"ARROW1"),
        ("junk.arrow", b"no arrow"),
        ("junk.jsonl.gz", b"\x1f\x8b\x08 no gzip"),
        ("cut.jsonl.gz", &cut[..cut.len() / 2]),
        ("junk.jsonl.zst", b"\x28\xb5\x2f\xfd no zstd"),
        ("junk.tar", &[7; 2048]),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    write_columns(folder);
    std::fs::create_dir(folder.join("folder")).unwrap();
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.push("missing.jsonl".into());
    names.sort();
    names
}

/// Whether any text is one of its records, so that only what is no text at all can be wrong.
fn takes_any_line(dataset: &str) -> bool {
    matches!(dataset, "line_by_line" | "custom" | "embedding" | "embedding_batch")
}

#[test]
fn a_file_that_cannot_be_used_is_told_in_a_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let names = write_files(folder.path());
    let server = RawServer::kind();
    let tokenizer = data("tokenizer").display().to_string();
    let mut refused = 0;
    for (dataset, more) in READERS {
        for name in &names {
            let flags = format!(
                "--dataset {dataset} --dataset-path {name} --tokenizer-path {tokenizer} --number 2 \
                 --no-test-connection --no-stream --dry-run {more}"
            );
            let output = command(folder.path(), &chat(&server.url()), &flags).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let fine = output.status.code() == Some(0) && takes_any_line(dataset);
            let line =
                said.lines().count() == 1 && said.starts_with("error: ") && said.contains(name.as_str());
            let clear = !said.contains("os error 22") && !said.contains("panicked") && said.len() < 700;
            assert!(
                fine || (output.status.code() == Some(2) && line && clear),
                "{dataset} {name}: {:?}\n{said}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout)
            );
            refused += usize::from(!fine);
        }
    }
    assert!(refused > 380, "only {refused} of {} were refused", names.len() * READERS.len());
    assert_eq!(server.heard().len(), 0, "nothing may be sent");
}

/// Whatever its name says, a folder without the dataset's file and a repository that is not there are
/// told as well; `--dataset-args` of a wrong kind with the way to the right ones.
#[test]
fn options_of_a_wrong_kind_are_told_with_the_way_to_the_right_ones() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.txt"), "").unwrap();
    let tokenizer = data("tokenizer").display().to_string();
    for (dataset, options, told) in [
        ("openqa", r#"{"target_input_len":0}"#, "target_input_len"),
        ("openqa", r#"{"input_len_mode":"pad"}"#, "input_len_mode: unknown variant"),
        ("openqa", r#"{"target_input_len":5,"prefix_file":"missing"}"#, "missing"),
        ("openqa", r#"{"target_input_len":5,"prefix_file":"empty.txt"}"#, "empty.txt"),
        ("openqa", r#"{"prefix_file":"empty.txt"}"#, "target_input_len"),
        ("random", r#"{"vocabulary":"none"}"#, "vocabulary: unknown variant"),
        ("random_embedding_batch", r#"{"batch_size":0}"#, "batch_size"),
        ("random_rerank", r#"{"num_documents":0}"#, "num_documents"),
        ("random_rerank", r#"{"document_length_ratio":-1}"#, "document_length_ratio"),
        ("workload_trace", r#"{"speed":0}"#, "speed"),
        ("workload_trace", r#"{"model_mapping":[]}"#, "model_mapping: invalid type"),
        ("mooncake_trace", r#"{"block_size":0}"#, "block_size"),
        ("azure_trace", r#"{"speed":"fast"}"#, "speed: invalid type"),
        ("swe_smith", r#"{"first_turn_length":[9,5]}"#, "first_turn_length"),
        ("swe_smith", r#"{"chars_per_token":0}"#, "chars_per_token"),
        ("custom", r#"{"x":1}"#, "no fields"),
    ] {
        let file = match dataset {
            "openqa" => "openqa.jsonl",
            "workload_trace" => "workload_trace.jsonl",
            "mooncake_trace" => "mooncake.jsonl",
            "azure_trace" => "azure.csv",
            "swe_smith" => "trajectories.jsonl",
            _ => "lines.txt",
        };
        let flags = [
            "--dataset",
            dataset,
            "--dataset-args",
            options,
            "--tokenizer-path",
            &tokenizer,
            "--dry-run",
            "--max-prompt-length",
            "30",
            "--dataset-path",
            data(file).to_str().unwrap(),
        ]
        .map(String::from);
        let mut flags = flags.to_vec();
        match dataset {
            "swe_smith" => flags.extend(["--multi-turn".into(), "--max-turns".into(), "2".into()]),
            name if name.ends_with("trace") => flags.push("--open-loop".into()),
            name if name.contains("embedding") => flags.extend(["--api".into(), "embedding".into()]),
            name if name.contains("rerank") => flags.extend(["--api".into(), "rerank".into()]),
            _ => {}
        }
        let words: Vec<&str> = flags.iter().map(String::as_str).collect();
        let output =
            command(folder.path(), "http://127.0.0.1:1/v1/chat/completions", &words[..]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{dataset} {options}: {said}");
        assert!(said.contains(told), "{dataset} {options}: {said}");
    }
}
