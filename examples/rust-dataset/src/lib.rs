//! A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.

use tickrate_guest::{Conversation, Dataset, Message, PluginError, Prompt, RunConfig, export_dataset, host};

/// Bytes that are read of a file at a time.
const PIECE: u32 = 1 << 20;

struct Questions {
    /// The lines of the files, or `None` where there is no file.
    lines: Option<Vec<String>>,
    turns: u64,
    given: usize,
}

impl Dataset for Questions {
    /// What `--dataset-args` may hold. tickrate checks the options before it calls `open`.
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {
                "turns": {"type": "integer", "minimum": 1, "maximum": 8, "description": "turns of each conversation"}
            },
            "additionalProperties": false
        }"#
    }

    /// Called once, before anything else. To begin again, tickrate makes a new instance.
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let options: serde_json::Value = serde_json::from_str(&config.options)
            .map_err(|error| PluginError::InvalidConfig(error.to_string()))?;
        let turns = options.get("turns").and_then(|turns| turns.as_u64()).unwrap_or(1);
        let mut lines = None;
        if config.dataset_path.is_some() {
            let all: &mut Vec<String> = lines.insert(Vec::new());
            for file in host::files().map_err(PluginError::InvalidData)? {
                all.extend(lines_of(&content(&file)?));
            }
        }
        Ok(Questions { lines, turns, given: 0 })
    }

    /// At most so many further conversations; none means that there are no more.
    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        let mut last = self.given.saturating_add(at_most as usize);
        if let Some(lines) = &self.lines {
            last = last.min(lines.len());
        }
        let batch = (self.given..last).map(|number| self.conversation(number)).collect();
        self.given = self.given.max(last);
        Ok(batch)
    }
}

impl Questions {
    fn conversation(&self, number: usize) -> Conversation {
        let question = match &self.lines {
            Some(lines) => lines[number].clone(),
            // Random numbers come from tickrate: they follow from the seed of the run.
            None => sum(number, host::random),
        };
        let ask = |text: &str| Prompt::Chat(vec![Message::text("user", text)]).into();
        let mut turns = vec![ask(&question)];
        turns.extend((1..self.turns).map(|_| ask("Are you sure?")));
        let mut conversation = Conversation::from(turns);
        conversation.id = Some(format!("question-{number}"));
        conversation
    }
}

/// A question about a sum.
fn sum(number: usize, mut random: impl FnMut() -> u64) -> String {
    let (a, b) = (random() % 100, random() % 100);
    format!("{number}. What is {a} + {b}?")
}

/// The lines of a file that say something; bytes that are no UTF-8 are replaced.
fn lines_of(data: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(data);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A file's bytes, read in pieces.
fn content(file: &host::File) -> Result<Vec<u8>, PluginError> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < file.bytes {
        let piece = host::read(&file.name, bytes.len() as u64, PIECE).map_err(PluginError::InvalidData)?;
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece);
    }
    Ok(bytes)
}

export_dataset!(Questions);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_questions() {
        assert_eq!(lines_of(b"Why?\n\n  How? \r\n\xff\n"), ["Why?", "How?", "\u{fffd}"]);
    }

    #[test]
    fn sums_follow_from_the_random_numbers() {
        let mut numbers = [7, 205].into_iter();
        assert_eq!(sum(3, || numbers.next().unwrap()), "3. What is 7 + 5?");
    }
}
