//! A reply on a plain connection: whatever pieces it comes in, it is the same reply or the same fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickrate::http::fuzzed::decode;

fuzz_target!(|data: &[u8]| {
    let Some((&size, reply)) = data.split_first() else { return };
    let whole = decode([reply]);
    let in_pieces = decode(reply.chunks(usize::from(size).max(1)));
    assert_eq!(whole, in_pieces);
    if let Ok(decoded) = whole {
        assert!(decoded.taken <= reply.len() && decoded.body.len() <= reply.len());
    }
});
