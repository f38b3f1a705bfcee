//! Allocates for ever.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct MemoryGrowth;

impl Misdeed for MemoryGrowth {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        let mut kept = Vec::new();
        loop {
            kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    }
}
