//! The reply of a server to each of the built-in APIs: what it says lies within what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::api;
use tickrate::contract::framing::frames;
use tickrate::contract::{Framing, Mark, Reply, RunConfig};
use tickrate::units::Nanos;

fuzz_target!(|data: &[u8]| {
    let [which, kind, status, body @ ..] = data else { return };
    let names: Vec<&str> = api::names().collect();
    let config = RunConfig {
        model: "m".into(),
        url: "http://127.0.0.1:1/v1/x".into(),
        stream: kind & 4 == 0,
        seed: 0,
        expected: 1,
        parameters: Default::default(),
        options: Default::default(),
        dataset_path: None,
    };
    let name = names[usize::from(*which) % names.len()];
    let Ok(api) = api::open(name, &config, &api::ApiSpec::default(), None) else { return };
    let framing = [Framing::Sse, Framing::Ndjson, Framing::Raw, Framing::Whole][usize::from(*kind) % 4];
    let marks = [Mark { at: Nanos(1), end: body.len() }];
    let framed = frames(body.to_vec(), &marks, framing);
    let reply = Reply {
        status: if *status < 128 { 200 } else { 100 + u16::from(*status) * 2 },
        content_type: None,
        framing,
        complete: status & 1 == 0,
        sent: Nanos::ZERO,
        payload: &framed.payload,
        frames: &framed.frames,
    };
    if let Ok(outcome) = api.parse(&reply) {
        let claimed: usize = outcome.outputs.iter().map(|output| output.text_bytes as usize).sum();
        assert!(claimed <= outcome.text.len(), "{name}: more text claimed than there is");
        for output in &outcome.outputs {
            assert!((output.frame as usize) < framed.frames.len(), "{name}: output of a frame that is none");
        }
    }
});
