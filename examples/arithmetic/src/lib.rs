//! A dataset of sums: each prompt asks for one, and no two runs with different seeds ask the same.

use tickrate_guest::{Conversation, Dataset, PluginError, RunConfig, export_dataset, host};

struct Arithmetic;

impl Dataset for Arithmetic {
    fn open(_config: RunConfig) -> Result<Self, PluginError> {
        Ok(Arithmetic)
    }

    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        let sum = || format!("What is {} + {}?", host::random() % 100, host::random() % 100);
        Ok((0..at_most).map(|_| Conversation::ask(sum())).collect())
    }
}

export_dataset!(Arithmetic);
