//! A journal that a killed run left, torn or damaged: recovered as far as it is whole, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::output::recover::recover;
use tickrate::output::schema::JOURNAL_FILE;

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(JOURNAL_FILE), data).expect("a file");
    let recovered = recover(folder.path()).expect("the folder is there");
    assert!(recovered.stages.len() + recovered.failures.len() + recovered.live.len() <= 1);
});
