//! A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.

use serde::Deserialize;
use tickrate_guest::{Conversation, Dataset, Message, PluginError, Prompt, RunConfig, export_dataset, host};

/// What `--dataset-args` may hold.
#[derive(Deserialize)]
struct Options {
    turns: Option<usize>,
}

struct Questions {
    /// The lines of the files, or `None` where there is no file.
    lines: Option<Vec<String>>,
    turns: usize,
    given: usize,
}

impl Dataset for Questions {
    /// The options as a JSON Schema. tickrate checks them before it calls `open`.
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
        let options: Options = config.typed_options()?;
        let lines = if config.dataset_path.is_some() { Some(host::lines()?) } else { None };
        Ok(Questions { lines, turns: options.turns.unwrap_or(1), given: 0 })
    }

    /// At most so many further conversations; none means that there are no more.
    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        let mut last = self.given.saturating_add(at_most as usize);
        if let Some(lines) = &self.lines {
            last = last.min(lines.len());
        }
        let batch = (self.given..last).map(|number| self.conversation(number)).collect();
        self.given = last;
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

export_dataset!(Questions);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_follow_from_the_random_numbers() {
        let mut numbers = [7, 205].into_iter();
        assert_eq!(sum(3, || numbers.next().unwrap()), "3. What is 7 + 5?");
    }
}
