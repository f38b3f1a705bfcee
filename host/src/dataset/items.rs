//! Datasets whose conversations are the records of a file, one each. The file is read as it is
//! needed, never as a whole.

use super::DatasetSpec;
use super::source::{Format, Place, Record, Source, find};
use crate::contract::{Conversation, Dataset, DatasetFacts, PartError};

/// What a dataset makes of one record: a conversation; `None` if its length is not wanted; or what is
/// wrong with it, as the rest of a sentence about the record.
pub(super) type Read = Box<dyn FnMut(&Record) -> Result<Option<Conversation>, String> + Send>;

/// Whether a record is sound; the error is the rest of a sentence about it.
pub(super) type Check = fn(&Record) -> Result<(), String>;

/// Why records were not wanted, where their lengths were outside the bounds.
pub(super) const BOUNDS: &str = "outside --min-prompt-length and --max-prompt-length; widen them";

/// A dataset whose conversations are the records of a file.
pub(super) struct Items {
    name: String,
    source: Source,
    read: Read,
    /// Records that fail it are left out instead of ending the run.
    lenient: Option<Check>,
    why_unwanted: &'static str,
    usable: u64,
    unwanted: u64,
    notes: Vec<String>,
}

impl Items {
    /// Opens the file at `--dataset-path`, or the one that `place` names in a folder given there.
    pub(super) fn open(
        spec: &DatasetSpec,
        place: Option<Place>,
        otherwise: Format,
        read: Read,
    ) -> Result<Items, PartError> {
        Ok(Items {
            name: spec.name.clone(),
            source: Source::new(find(spec, place)?, otherwise)?,
            read,
            lenient: None,
            why_unwanted: BOUNDS,
            usable: 0,
            unwanted: 0,
            notes: Vec::new(),
        })
    }

    /// Says why lengths are not wanted, where it is not for the usual bounds.
    pub(super) fn unwanted_because(self, why_unwanted: &'static str) -> Items {
        Items { why_unwanted, ..self }
    }

    /// Leaves out records that fail the check. All are checked now, so that a note says how many.
    pub(super) fn lenient(mut self, check: Check) -> Result<Items, PartError> {
        let (mut all, mut bad, mut first) = (0_u64, 0_u64, None);
        while let Some(record) = self.source.next()? {
            all += 1;
            if let Err(reason) = check(&record) {
                bad += 1;
                first.get_or_insert_with(|| self.source.bad(&reason));
            }
        }
        if let Some(first) = first {
            if bad == all {
                return Err(first);
            }
            self.notes.push(format!("{bad} of {all} records of the dataset are left out; {first}"));
        }
        self.source.rewind()?;
        self.lenient = Some(check);
        Ok(self)
    }

    /// Reads on to the next conversation; `None` at the end.
    fn next_item(&mut self) -> Result<Option<Conversation>, PartError> {
        loop {
            let Some(record) = self.source.next()? else {
                return if self.usable == 0 { Err(self.nothing_usable()) } else { Ok(None) };
            };
            if self.lenient.is_some_and(|check| check(&record).is_err()) {
                continue;
            }
            match (self.read)(&record).map_err(|reason| self.source.bad(&reason))? {
                None => self.unwanted += 1,
                Some(conversation) => {
                    self.usable += 1;
                    return Ok(Some(conversation));
                }
            }
        }
    }

    fn nothing_usable(&self) -> PartError {
        let why = match self.unwanted {
            0 => "it is empty; check --dataset-path".to_string(),
            unwanted => {
                format!("the lengths of all {unwanted} records that it has are {}", self.why_unwanted)
            }
        };
        PartError::InvalidData(format!(
            "the dataset file \"{}\" has nothing usable: {why}",
            self.source.path().display()
        ))
    }
}

impl Dataset for Items {
    fn name(&self) -> &str {
        &self.name
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut conversations = Vec::new();
        while conversations.len() < at_most {
            match self.next_item()? {
                Some(conversation) => conversations.push(conversation),
                None => break,
            }
        }
        Ok(conversations)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        (self.usable, self.unwanted) = (0, 0);
        self.source.rewind()
    }

    fn facts(&self) -> DatasetFacts {
        DatasetFacts { notes: self.notes.clone(), ..DatasetFacts::default() }
    }
}

/// What is wrong with a record that lacks what is looked for.
pub(super) fn not_an_object(wanted: &str, error: &serde_json::Error) -> String {
    format!("is not a JSON object with {wanted} ({error}); correct it or use another --dataset")
}

/// What is wrong with a record that the tokenizer refuses.
pub(super) fn unusable(error: crate::tokenizer::TokenizerError) -> String {
    format!("cannot be used: {error}")
}
