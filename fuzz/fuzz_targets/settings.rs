//! A file given with --config, in each of its formats, and the goals of gates and searches.
#![no_main]

use std::ffi::OsString;

use libfuzzer_sys::fuzz_target;
use tickrate::cli::settings::layered;
use tickrate::metrics::Criterion;

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    if kind & 3 == 3 {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        let (name, goal) = text.split_once(' ').unwrap_or((text, ""));
        let _ = Criterion::parse(name, goal, None);
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(["run.yaml", "run.toml", "run.json"][usize::from(kind & 3)]);
    std::fs::write(&path, rest).expect("a file");
    let words = ["tickrate".into(), "perf".into(), "--config".into(), path.into_os_string()];
    if let Err(error) = layered(words.to_vec(), Vec::<(OsString, OsString)>::new()) {
        assert!(error.lines.iter().all(|line| line.to_string().lines().count() <= 1));
    }
});
