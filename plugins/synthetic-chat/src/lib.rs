//! Made-up conversations as a tickrate plugin: words without a meaning, in the number that the
//! options ask for, the same for the same seed. It never runs out.

use serde::Deserialize;
use tickrate_guest::{
    Conversation, Dataset, Message, PluginError, Prompt, RunConfig, Turn, export_dataset, host,
};

/// Words of one to three tokens in most vocabularies.
const WORDS: [&str; 32] = [
    "river", "stone", "copper", "window", "quiet", "seven", "garden", "harbour", "paper", "yellow", "engine",
    "market", "winter", "signal", "forest", "ladder", "mirror", "number", "orange", "pocket", "rocket",
    "silver", "ticket", "valley", "weather", "anchor", "basket", "candle", "desert", "feather", "hammer",
    "island",
];

#[derive(Deserialize)]
#[serde(default)]
struct Options {
    min_words: u32,
    max_words: u32,
    turns: u32,
    system: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { min_words: 16, max_words: 64, turns: 1, system: None }
    }
}

struct SyntheticChat {
    options: Options,
    count: u64,
}

impl Dataset for SyntheticChat {
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {
                "min_words": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 16,
                              "description": "the fewest words of a turn"},
                "max_words": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 64,
                              "description": "the most words of a turn"},
                "turns": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1,
                          "description": "turns of a conversation"},
                "system": {"type": "string", "description": "a system message before the first turn"}
            },
            "additionalProperties": false
        }"#
    }

    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let options: Options = serde_json::from_str(&config.options)
            .map_err(|error| PluginError::InvalidConfig(format!("the options cannot be read: {error}")))?;
        if options.min_words > options.max_words {
            return Err(PluginError::InvalidConfig(format!(
                "min_words is {} and max_words {}; swap them",
                options.min_words, options.max_words
            )));
        }
        Ok(SyntheticChat { options, count: 0 })
    }

    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        Ok((0..at_most).map(|_| self.conversation()).collect())
    }
}

impl SyntheticChat {
    fn conversation(&mut self) -> Conversation {
        let turns = (0..self.options.turns).map(|turn| self.turn(turn)).collect::<Vec<_>>();
        let mut conversation = Conversation::from(turns);
        conversation.id = Some(format!("synthetic-{}", self.count));
        self.count += 1;
        conversation
    }

    fn turn(&self, index: u32) -> Turn {
        let Options { min_words, max_words, ref system, .. } = self.options;
        let words = min_words + (host::random() % u64::from(max_words - min_words + 1)) as u32;
        let mut text = String::new();
        for _ in 0..words {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(WORDS[(host::random() % WORDS.len() as u64) as usize]);
        }
        let system = system.iter().filter(|_| index == 0).map(|system| Message::text("system", system));
        Prompt::Chat(system.chain([Message::text("user", text)]).collect()).into()
    }
}

export_dataset!(SyntheticChat);
