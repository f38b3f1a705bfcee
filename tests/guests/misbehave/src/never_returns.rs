//! Computes for ever, or with `"how": "asleep"` sleeps for ever.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct NeverReturns;

impl Misdeed for NeverReturns {
    fn anywhere(&self, call: &Call) -> Result<(), PluginError> {
        loop {
            #[cfg(not(target_os = "unknown"))]
            if call.how == "asleep" {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            }
            std::hint::black_box(call.number);
        }
    }
}
