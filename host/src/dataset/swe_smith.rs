//! `swe_smith`: coding agents' conversations, ready-made or put together from trajectories.
//!
//! A ready-made file holds `{"conversations": [[{"messages": […]}, …], …]}`, each turn with the
//! messages it adds. Trajectories hold all messages of one session each; the user's among them are
//! dealt to turns until these have the tokens asked for.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::fit::cut;
use super::items::Items;
use super::messages::{self, message};
use super::source::{Format, Place, Record, Source, find};
use super::{DatasetSpec, options, turns};
use crate::contract::{Conversation, Dataset, Message, PartError};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Where the trajectories are.
pub(super) const TRAJECTORIES: Place = Place {
    model_scope: "SWE-bench/SWE-smith-trajectories",
    hugging_face: "SWE-bench/SWE-smith-trajectories",
    file: "data/tool-*.parquet",
};

/// A number, or the two ends of a range to draw from.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Length {
    One(u32),
    Range([u32; 2]),
}

impl Length {
    fn ends(self) -> (u32, u32) {
        match self {
            Length::One(length) => (length, length),
            Length::Range([least, most]) => (least, most),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SweOptions {
    first_turn_length: Length,
    subsequent_turn_length: Length,
    chars_per_token: f64,
}

impl Default for SweOptions {
    fn default() -> SweOptions {
        SweOptions {
            first_turn_length: Length::One(65_000),
            subsequent_turn_length: Length::One(500),
            chars_per_token: 3.0,
        }
    }
}

pub(super) fn open(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let options: SweOptions = options(spec)?;
    let bad = |text: String| Err(PartError::InvalidConfig(format!("--dataset-args: {text}; correct it")));
    let lengths = [
        ("first_turn_length", options.first_turn_length),
        ("subsequent_turn_length", options.subsequent_turn_length),
    ];
    for (name, length) in lengths {
        let (least, most) = length.ends();
        if least == 0 || least > most {
            return bad(format!("{name} must be > 0, or a range [min, max] with min <= max"));
        }
    }
    if !(options.chars_per_token > 0.0 && options.chars_per_token <= 100.0) {
        return bad(format!("chars_per_token must be > 0 and at most 100, got {}", options.chars_per_token));
    }
    let (least, most) = turns::bounds(spec)?;
    let files = find(spec, Some(TRAJECTORIES))?;
    if let Some(file) = files.first()
        && ready_made(file)?
    {
        let most = most.unwrap_or(u32::MAX) as usize;
        let read = move |record: &Record| read_ready(record, most);
        return Ok(Box::new(Items::open(spec, Some(TRAJECTORIES), CONVERSATIONS, Box::new(read))?));
    }
    let Some(tokenizer) = tokenizer else {
        return Err(PartError::InvalidConfig(
            "the dataset \"swe_smith\" needs a tokenizer to deal a trajectory to turns; pass --tokenizer-path, or a file of ready-made conversations"
                .into(),
        ));
    };
    let most = most.unwrap_or(least);
    let tokens = f64::from(options.first_turn_length.ends().1)
        + f64::from(options.subsequent_turn_length.ends().1) * f64::from(most - 1);
    let mut trajectories = Trajectories {
        source: Source::new(files, Format::Json)?,
        tokenizer,
        min_chars: (tokens * options.chars_per_token) as usize,
        options,
        turns: (least, most),
        seed: spec.seed,
        rng: Xoshiro256PlusPlus::seed_from_u64(spec.seed),
        shuffled: None,
        next: 0,
        read: 0,
        usable: 0,
    };
    trajectories.rewind()?;
    Ok(Box::new(trajectories))
}

/// Whether the file begins as one of ready-made conversations does.
fn ready_made(file: &std::path::Path) -> Result<bool, PartError> {
    if Format::of(file, Format::Json) != Format::Json {
        return Ok(false);
    }
    let mut reader = super::source::files::reader(file)?;
    let start = reader
        .fill_buf()
        .map_err(|error| PartError::InvalidData(super::source::files::unreadable(file, &error)))?;
    let start = String::from_utf8_lossy(&start[..start.len().min(4096)]).into_owned();
    let (conversations, messages) = (start.find("\"conversations\""), start.find("\"messages\""));
    Ok(conversations.is_some_and(|at| messages.is_none_or(|messages| at < messages)))
}

/// The member of a ready-made file that holds its conversations.
const CONVERSATIONS: Format = Format::Member("conversations");

#[derive(Deserialize)]
struct ReadyTurn {
    messages: Vec<Value>,
}

/// A ready-made conversation; `None` if it has no turns.
fn read_ready(record: &Record, most: usize) -> Result<Option<Conversation>, String> {
    let turns: Vec<ReadyTurn> = record.parse().map_err(|error| {
        format!("is not a list of turns with \"messages\" ({error}); build the file anew")
    })?;
    let mut read = Vec::with_capacity(turns.len());
    for turn in turns.into_iter().take(most) {
        let messages = turn.messages.into_iter().map(message).collect::<Option<Vec<_>>>();
        match messages.filter(|messages| !messages.is_empty()) {
            Some(messages) => read.push(messages),
            None => {
                return Err("has a turn without messages that have a \"role\"; build the file anew".into());
            }
        }
    }
    Ok((!read.is_empty()).then(|| turns::conversation(read.into_iter())))
}

/// The user's texts of every trajectory that is long enough, in a file without a name, and where each
/// of them is there, in a random order.
struct Shuffled {
    file: File,
    places: Vec<(u64, usize)>,
}

/// Conversations put together from trajectories, which come in a random order.
struct Trajectories {
    source: Source,
    tokenizer: Arc<Tokenizer>,
    /// Trajectories of fewer characters are not tried.
    min_chars: usize,
    options: SweOptions,
    /// The fewest and the most turns.
    turns: (u32, u32),
    seed: u64,
    rng: Xoshiro256PlusPlus,
    /// The trajectories, once they were read.
    shuffled: Option<Shuffled>,
    /// The one among them that comes next.
    next: usize,
    read: u64,
    usable: u64,
}

impl Trajectories {
    fn next_conversation(&mut self) -> Result<Option<Conversation>, PartError> {
        loop {
            let Some(texts) = self.next_texts()? else {
                return if self.usable == 0 { Err(self.nothing_usable()) } else { Ok(None) };
            };
            let draw = |length: Length, rng: &mut Xoshiro256PlusPlus| {
                let (least, most) = length.ends();
                rng.random_range(least..=most) as usize
            };
            let first = draw(self.options.first_turn_length, &mut self.rng);
            let subsequent = draw(self.options.subsequent_turn_length, &mut self.rng);
            let count = self.rng.random_range(self.turns.0..=self.turns.1);
            let dealt = deal(&texts, first, subsequent, count, &self.tokenizer)
                .map_err(|error| self.source.bad(&format!("cannot be used: {error}")))?;
            if let Some(turns) = dealt {
                self.usable += 1;
                return Ok(Some(turns::conversation(turns.into_iter())));
            }
        }
    }

    /// The texts of the next trajectory.
    fn next_texts(&mut self) -> Result<Option<Vec<String>>, PartError> {
        if self.shuffled.is_none() {
            self.shuffled = Some(self.shuffle()?);
        }
        let next = self.next;
        self.next += 1;
        let Some(Shuffled { file, places }) = &mut self.shuffled else { return Ok(None) };
        let Some(&(at, length)) = places.get(next) else { return Ok(None) };
        let mut json = vec![0; length];
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut json)).map_err(no_room)?;
        serde_json::from_slice(&json).map(Some).map_err(|error| no_room(error.into()))
    }

    /// Reads all trajectories once. They are too large to be held, and too many to be drawn from the
    /// file in any other order than its own.
    fn shuffle(&mut self) -> Result<Shuffled, PartError> {
        let mut file = BufWriter::new(tempfile::tempfile().map_err(no_room)?);
        let (mut places, mut at) = (Vec::new(), 0);
        while let Some(record) = self.source.next()? {
            self.read += 1;
            let texts = user_texts(&record).map_err(|reason| self.source.bad(&reason))?;
            if texts.iter().map(String::len).sum::<usize>() >= self.min_chars {
                let json = serde_json::to_vec(&texts).map_err(|error| no_room(error.into()))?;
                file.write_all(&json).map_err(no_room)?;
                places.push((at, json.len()));
                at += json.len() as u64;
            }
        }
        places.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(self.seed));
        let file = file.into_inner().map_err(|error| no_room(error.into_error()))?;
        Ok(Shuffled { file, places })
    }

    fn nothing_usable(&self) -> PartError {
        PartError::InvalidData(match self.read {
            0 => format!(
                "the dataset file \"{}\" has nothing usable: it is empty; check --dataset-path",
                self.source.path().display()
            ),
            read => format!(
                "none of the {read} trajectories of \"{}\" is long enough; lower first_turn_length, subsequent_turn_length or --max-turns",
                self.source.path().display()
            ),
        })
    }
}

impl Dataset for Trajectories {
    fn name(&self) -> &str {
        "swe_smith"
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut conversations = Vec::new();
        while conversations.len() < at_most {
            match self.next_conversation()? {
                Some(conversation) => conversations.push(conversation),
                None => break,
            }
        }
        Ok(conversations)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        (self.next, self.usable) = (0, 0);
        Ok(())
    }
}

/// What is wrong with the temporary file.
fn no_room(error: std::io::Error) -> PartError {
    PartError::InvalidData(format!(
        "the trajectories cannot be put in order: {error}; make room in the folder for temporary files (TMPDIR)"
    ))
}

/// The user's texts and the tools' outputs, which are sent as the user's; the assistant's and the
/// system's are left out.
fn user_texts(record: &Record) -> Result<Vec<String>, String> {
    const WRONG: &str = "has no \"messages\" that are a list, or text that holds one; correct it";
    let mut row: Map<String, Value> =
        record.parse().map_err(|error| format!("is not a JSON object ({error}); correct it"))?;
    let items = match row.shift_remove("messages") {
        Some(Value::Array(items)) => items,
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| WRONG)?,
        _ => return Err(WRONG.into()),
    };
    let messages = items.into_iter().filter_map(message);
    let asked = messages.filter(|message| matches!(message.role.as_str(), "user" | "tool"));
    Ok(asked.map(|message| messages::text(&message)).filter(|text| !text.is_empty()).collect())
}

/// Deals texts to turns: the first takes `first` tokens of them, each other one `subsequent`. A text
/// that does not fit is cut, and its rest is lost. `None` if there are too few.
fn deal(
    texts: &[String],
    first: usize,
    subsequent: usize,
    count: u32,
    tokenizer: &Tokenizer,
) -> Result<Option<Vec<Vec<Message>>>, TokenizerError> {
    let mut rest = texts.iter();
    let mut next = rest.next();
    let mut turns = Vec::with_capacity(count as usize);
    for turn in 0..count {
        let mut left = if turn == 0 { first } else { subsequent };
        let mut messages = Vec::new();
        while let Some(text) = next.filter(|_| left > 0) {
            let ids = tokenizer.encode(text)?;
            let text = match ids.len() <= left {
                true => text.clone(),
                false => cut(tokenizer, &ids, left)?,
            };
            left = left.saturating_sub(ids.len());
            messages.push(Message::text("user", text));
            next = rest.next();
        }
        if messages.is_empty() {
            return Ok(None);
        }
        turns.push(messages);
    }
    Ok(Some(turns))
}
