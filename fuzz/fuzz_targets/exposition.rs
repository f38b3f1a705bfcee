//! What a server tells of itself in Prometheus' text format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::output::server_metrics::fuzzed::samples;

fuzz_target!(|text: &str| {
    let (samples, strange) = samples(text);
    assert!(samples + strange <= text.lines().count());
});
