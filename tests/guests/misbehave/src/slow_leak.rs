//! Keeps a mebibyte of each call.

use std::cell::RefCell;

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

#[derive(Default)]
pub struct SlowLeak {
    kept: RefCell<Vec<Vec<u8>>>,
}

impl Misdeed for SlowLeak {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        self.kept.borrow_mut().push(vec![1; 1 << 20]);
        Ok(())
    }
}
