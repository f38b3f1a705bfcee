//! Traces of a service: records with the moments they came at, sent again at the same distances.
//!
//! A trace is read twice and never held: once to check all of it, and once to send it. Of the first
//! reading only the moments are kept, eight bytes each. Records that are out of order are put right
//! within a window that is as wide as they are late.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::Value;

use super::DatasetSpec;
use super::source::{Format, Record, Source, find};
use crate::contract::{Conversation, Dataset, DatasetFacts, PartError};

/// How many errors are told; the others are only counted.
const TOLD: usize = 20;
/// How many records may be held to put them in order.
const WIDEST: usize = 65_536;

/// How a trace's records are read and made into conversations.
pub(super) trait Trace: Send {
    /// What a record says.
    type Entry: Send;

    /// The moment of a record, in seconds since any fixed one, and what it says; the error is the
    /// rest of a sentence about the record.
    fn read(&self, record: &Record) -> Result<(f64, Self::Entry), String>;

    /// What is worth a note about an entry; entries with the same note are counted.
    fn remark(&self, _entry: &Self::Entry) -> Option<&'static str> {
        None
    }

    /// The conversation that an entry makes; `number` is its place in the file, from 0.
    fn make(&self, entry: Self::Entry, number: u64) -> Result<Conversation, PartError>;
}

/// A trace as a dataset.
pub(super) struct Replay<T: Trace> {
    name: String,
    source: Source,
    trace: T,
    /// How many times as fast as it was.
    speed: f64,
    /// The moment of the first record that is sent, in seconds.
    start: f64,
    /// Records left out at the beginning.
    skipped: u64,
    records: u64,
    window: usize,
    notes: Vec<String>,
    held: BinaryHeap<Reverse<Held<T::Entry>>>,
    read: u64,
    to_skip: u64,
}

struct Held<E> {
    at: f64,
    number: u64,
    entry: E,
}

impl<E> Ord for Held<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.number.cmp(&other.number))
    }
}

impl<E> PartialOrd for Held<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Held<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Held<E> {}

impl<T: Trace> Replay<T> {
    /// Opens the trace at `--dataset-path` and checks all of it; every record that is wrong is told.
    pub(super) fn open(spec: &DatasetSpec, trace: T, speed: f64) -> Result<Replay<T>, PartError> {
        if !(speed > 0.0 && speed.is_finite()) {
            return Err(PartError::InvalidConfig(format!(
                "--dataset-args: speed must be > 0, got {speed}; correct it"
            )));
        }
        if spec.path.is_none() {
            return Err(PartError::InvalidConfig(format!(
                "{} requires --dataset-path pointing to a trace file; pass it",
                spec.name
            )));
        }
        let source = Source::new(find(spec, None)?, Format::Json)?;
        let mut replay = Replay {
            name: spec.name.clone(),
            source,
            trace,
            speed,
            start: 0.0,
            skipped: spec.dataset_offset,
            records: 0,
            window: 0,
            notes: Vec::new(),
            held: BinaryHeap::new(),
            read: 0,
            to_skip: spec.dataset_offset,
        };
        replay.check()?;
        replay.rewind()?;
        Ok(replay)
    }

    fn check(&mut self) -> Result<(), PartError> {
        let mut moments: Vec<f64> = Vec::new();
        let mut wrong: Vec<String> = Vec::new();
        let mut wrongs = 0_u64;
        let mut remarks: Vec<(&'static str, u64)> = Vec::new();
        while let Some(record) = self.source.next()? {
            match self.trace.read(&record) {
                Ok((at, entry)) => {
                    moments.push(at);
                    if let Some(text) = self.trace.remark(&entry) {
                        match remarks.iter_mut().find(|(known, _)| *known == text) {
                            Some((_, count)) => *count += 1,
                            None => remarks.push((text, 1)),
                        }
                    }
                }
                Err(reason) => {
                    wrongs += 1;
                    if wrong.len() < TOLD {
                        wrong.push(format!("{} {}: {reason}", self.source.unit(), record.at));
                    }
                }
            }
        }
        let (name, path) = (&self.name, self.source.path().display());
        if wrongs > 0 {
            let more = match wrongs - wrong.len() as u64 {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            return Err(PartError::InvalidData(format!(
                "{name} validation failed ({wrongs} error(s)) in the dataset file \"{path}\": {}{more}; correct the file",
                wrong.join("; ")
            )));
        }
        if moments.is_empty() {
            return Err(PartError::InvalidData(format!(
                "the dataset file \"{path}\" has nothing usable: it is empty; check --dataset-path"
            )));
        }
        self.records = moments.len() as u64;
        if self.skipped >= self.records {
            return Err(PartError::InvalidConfig(format!(
                "--dataset-offset {} leaves nothing of the {} records of \"{path}\"; lower it",
                self.skipped, self.records
            )));
        }
        if !moments.is_sorted() {
            let mut order: Vec<u32> = (0..moments.len() as u32).collect();
            order.sort_by(|&a, &b| moments[a as usize].total_cmp(&moments[b as usize]));
            let places =
                order.iter().enumerate().map(|(place, &number)| (number as usize).saturating_sub(place));
            self.window = places.max().unwrap_or(0);
            if self.window > WIDEST {
                return Err(PartError::InvalidData(format!(
                    "the records of the dataset file \"{path}\" are up to {} places out of order, and at most {WIDEST} can be put right; sort them by their timestamps",
                    self.window
                )));
            }
            self.notes.push(format!(
                "the records of the dataset file \"{path}\" are not in the order of their timestamps; they are sent in that order"
            ));
            moments.sort_by(f64::total_cmp);
        }
        self.start = moments.get(self.skipped as usize).copied().unwrap_or_default();
        self.notes.extend(remarks.into_iter().map(|(text, count)| format!("{count} records {text}")));
        Ok(())
    }

    /// The next record by its moment; `None` after the last.
    fn next_entry(&mut self) -> Result<Option<Held<T::Entry>>, PartError> {
        while self.held.len() <= self.window {
            let Some(record) = self.source.next()? else { break };
            let (at, entry) = self.trace.read(&record).map_err(|reason| self.source.bad(&reason))?;
            self.held.push(Reverse(Held { at, number: self.read, entry }));
            self.read += 1;
        }
        Ok(self.held.pop().map(|Reverse(held)| held))
    }
}

impl<T: Trace> Dataset for Replay<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut conversations = VecDeque::new();
        while conversations.len() < at_most {
            let Some(held) = self.next_entry()? else { break };
            if self.to_skip > 0 {
                self.to_skip -= 1;
                continue;
            }
            let mut conversation = self.trace.make(held.entry, held.number)?;
            conversation.arrival_ms = Some((held.at - self.start).max(0.0) * 1000.0 / self.speed);
            conversations.push_back(conversation);
        }
        Ok(conversations.into())
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.held.clear();
        self.read = 0;
        self.to_skip = self.skipped;
        self.source.rewind()
    }

    fn facts(&self) -> DatasetFacts {
        DatasetFacts {
            conversations: Some(self.records - self.skipped),
            arrivals: true,
            notes: self.notes.clone(),
        }
    }
}

/// A moment in seconds: a number, a number in quotes, or a date and time, which without a zone is
/// UTC. The error is the rest of a sentence about the record.
pub(super) fn moment(value: &Value) -> Result<f64, String> {
    let wrong = |shown: &str| {
        Err(format!("cannot parse timestamp {shown}: it is neither a number nor an ISO-8601 date and time"))
    };
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => Some(number),
            Err(_) => date(text.trim()),
        },
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(number),
        _ => wrong(&value.to_string().chars().take(60).collect::<String>()),
    }
}

fn date(text: &str) -> Option<f64> {
    let seconds = |moment: DateTime<chrono::Utc>| {
        moment.timestamp() as f64 + f64::from(moment.timestamp_subsec_nanos()) / 1e9
    };
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(seconds(moment.to_utc()));
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"] {
        if let Ok(moment) = DateTime::parse_from_str(text, format) {
            return Some(seconds(moment.to_utc()));
        }
    }
    let plain = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let parsed = plain.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let parsed = parsed.or_else(|| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0))
    });
    parsed.map(|moment| seconds(moment.and_utc()))
}
