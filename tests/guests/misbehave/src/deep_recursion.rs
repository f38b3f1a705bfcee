//! Calls itself until the stack is used up.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct DeepRecursion;

impl Misdeed for DeepRecursion {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        std::hint::black_box(descend(&[0; 64]));
        Ok(())
    }
}

/// Every level needs its own array.
#[allow(unconditional_recursion, reason = "that is what it is for")]
fn descend(above: &[u64; 64]) -> u64 {
    let mut here = [above[0].wrapping_add(1); 64];
    here[1] = descend(std::hint::black_box(&here));
    std::hint::black_box(&here).iter().fold(0, |sum, one| sum ^ one)
}
