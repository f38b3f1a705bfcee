//! The frames of a body: within it, in order, and no earlier than the read that brought them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::contract::framing::frames;
use tickrate::contract::{Framing, Mark};
use tickrate::units::Nanos;

fuzz_target!(|data: &[u8]| {
    let [kind, step, body @ ..] = data else { return };
    let framing = [Framing::Sse, Framing::Ndjson, Framing::Raw, Framing::Whole][usize::from(*kind) % 4];
    let step = usize::from(*step).max(1);
    let ends = (step..body.len()).step_by(step).chain((!body.is_empty()).then_some(body.len()));
    let marks: Vec<Mark> = ends.map(|end| Mark { at: Nanos(end as i64), end }).collect();
    let framed = frames(body.to_vec(), &marks, framing);
    let (mut end, mut at) = (0, Nanos::ZERO);
    for frame in &framed.frames {
        assert!(frame.range.start >= end && frame.range.end <= framed.payload.len());
        assert!(frame.at >= at && frame.at <= Nanos(body.len() as i64));
        (end, at) = (frame.range.end, frame.at);
    }
});
