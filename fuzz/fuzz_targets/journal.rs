//! A journal that a killed run left, torn or damaged: recovered as far as it is whole, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::output::recover::recover;
use tickrate::output::{frames, schema};

const JOURNALS: [&str; 3] = [schema::JOURNAL_FILE, frames::JOURNAL_FILE, "server_metrics.journal"];

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(JOURNALS[usize::from(kind) % JOURNALS.len()]), data).expect("a file");
    let recovered = recover(folder.path()).expect("the folder is there");
    let done = recovered.stages.len() + recovered.replies.len() + recovered.server_metrics.len();
    assert_eq!(done + recovered.failures.len() + recovered.live.len(), 1);
});
