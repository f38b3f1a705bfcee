//! Writes 5,000 lines to the log in each call.

use tickrate_guest::PluginError;
use tickrate_guest::host::{Level, log};

use crate::misdeed::{Call, Misdeed};

pub struct LogFlood;

impl Misdeed for LogFlood {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        for line in 0..5_000 {
            log(Level::Info, &format!("line {line}"));
        }
        Ok(())
    }
}
