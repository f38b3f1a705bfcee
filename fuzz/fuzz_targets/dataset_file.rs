//! A file given with --dataset-path, as each dataset and in each format: prompts, or one line of error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::contract::RunConfig;
use tickrate::dataset::{self, DatasetSpec};

const FORMATS: [&str; 8] = ["jsonl", "json", "csv", "txt", "parquet", "arrow", "jsonl.gz", "jsonl.zst"];

fuzz_target!(|data: &[u8]| {
    let [which, format, file @ ..] = data else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(format!("data.{}", FORMATS[usize::from(*format) % FORMATS.len()]));
    std::fs::write(&path, file).expect("a file");
    let names: Vec<&str> = dataset::names().collect();
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
        let spec = DatasetSpec { name: name.into(), path: Some(path.clone()), multi_turn, ..Default::default() };
        let error = match dataset::open(&spec, &config, None) {
            Ok(mut dataset) => dataset.next(10).err(),
            Err(error) => Some(error),
        };
        let lines = error.map_or(1, |error| error.to_string().lines().count());
        assert!(lines <= 1, "{name}: an error of {lines} lines");
    }
});
