//! `--dataset-offset`: any dataset, begun with a later item.

use crate::contract::{Conversation, Dataset, DatasetFacts, PartError};

/// A dataset whose first items come last.
pub(super) struct Offset {
    inner: Box<dyn Dataset>,
    offset: u64,
    begun: bool,
}

impl Offset {
    pub(super) fn new(inner: Box<dyn Dataset>, offset: u64) -> Offset {
        Offset { inner, offset, begun: false }
    }

    /// Passes over the first items. Of a dataset that has fewer, it is the remainder that counts.
    fn skip(&mut self) -> Result<(), PartError> {
        const AT_ONCE: u64 = 256;
        let mut left = self.offset;
        let mut passed = 0;
        while left > 0 {
            let skipped = self.inner.next(left.min(AT_ONCE) as usize)?.len() as u64;
            passed += skipped;
            left -= skipped;
            if skipped == 0 {
                self.inner.rewind()?;
                if passed == 0 {
                    return Ok(());
                }
                left = self.offset % passed;
                // From here on the number of all items is known, and what is left is less.
                self.offset = left;
            }
        }
        Ok(())
    }
}

impl Dataset for Offset {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        if !self.begun {
            self.begun = true;
            self.skip()?;
        }
        self.inner.next(at_most)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.begun = true;
        self.inner.rewind()
    }

    fn facts(&self) -> DatasetFacts {
        self.inner.facts()
    }
}
