//! The parser of what servers tell, for the fuzz target `exposition`.

/// How many samples a text has, and how many of its lines were not understood.
pub fn samples(text: &str) -> (usize, usize) {
    let (samples, strange) = super::exposition::parse(text);
    (samples.len(), strange)
}
