//! Computes for 50 ms, which is slow and no more.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct ComputesForAWhile;

impl Misdeed for ComputesForAWhile {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        compute();
        Ok(())
    }
}

#[cfg(not(target_os = "unknown"))]
fn compute() {
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(50) {
        std::hint::black_box(());
    }
}

/// There is no clock; as much work as takes about as long.
#[cfg(target_os = "unknown")]
fn compute() {
    for step in 0..50_000_000_u32 {
        std::hint::black_box(step);
    }
}
