//! A file given with --dataset-path, as each dataset and in each format: prompts, or one line of error.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use tickrate::contract::RunConfig;
use tickrate::dataset::{self, DatasetSpec};
use tickrate::tokenizer::Tokenizer;

const FORMATS: [&str; 9] =
    ["jsonl", "json", "csv", "txt", "parquet", "arrow", "jsonl.gz", "jsonl.zst", "tar"];

/// What the traces make prompts of recorded lengths with.
static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer");
    Arc::new(Tokenizer::open(folder).expect("the tests' tokenizer"))
});

fuzz_target!(|data: &[u8]| {
    let [which, format, file @ ..] = data else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(format!("data.{}", FORMATS[usize::from(*format) % FORMATS.len()]));
    std::fs::write(&path, file).expect("a file");
    let of_a_file = |name: &&str| dataset::describe(name).is_some_and(|dataset| dataset.file.is_some());
    let names: Vec<&str> = dataset::names().filter(of_a_file).collect();
    let name = names[usize::from(*which) % names.len()];
    let config = RunConfig {
        model: "m".into(),
        url: "http://127.0.0.1:1/v1/chat/completions".into(),
        stream: true,
        seed: 0,
        expected: 10,
        parameters: Default::default(),
        options: Default::default(),
        dataset_path: None,
    };
    for multi_turn in [false, true] {
        let apply_chat_template = format & 0x80 == 0;
        let path = Some(path.clone());
        let spec =
            DatasetSpec { name: name.into(), path, multi_turn, apply_chat_template, ..Default::default() };
        let error = match dataset::open(&spec, &config, Some(TOKENIZER.clone())) {
            Ok(mut dataset) => dataset.next(10).err(),
            Err(error) => Some(error),
        };
        let lines = error.map_or(1, |error| error.to_string().lines().count());
        assert!(lines <= 1, "{name}: an error of {lines} lines");
    }
});
