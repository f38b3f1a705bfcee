//! Datasets that are the lines of a file. The file is read as it is needed, never as a whole.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DatasetSpec;
use super::prompts::Prompts;
use crate::contract::{Conversation, Dataset, PartError, Prompt};
use crate::tokenizer::Tokenizer;

/// What a dataset makes of one line, without the white space around it: a prompt; `None` if the
/// line's length is not wanted; or what is wrong with it, as the rest of a sentence about the line.
pub(super) type ReadLine = fn(&str, &Prompts) -> Result<Option<Prompt>, String>;

/// A dataset whose items are the lines of a file; blank ones do not count.
pub(super) struct Lines {
    name: String,
    path: PathBuf,
    reader: BufReader<File>,
    prompts: Prompts,
    read_line: ReadLine,
    buffer: Vec<u8>,
    /// The number of the line that was read last, from 1.
    line: u64,
    usable: u64,
    unwanted: u64,
}

impl Lines {
    /// Opens the file at `--dataset-path`. If that is a folder, it is the file `in_folder` of it.
    pub(super) fn open(
        spec: &DatasetSpec,
        in_folder: Option<&str>,
        tokenizer: Option<Arc<Tokenizer>>,
        read_line: ReadLine,
    ) -> Result<Box<dyn Dataset>, PartError> {
        let prompts = Prompts::new(spec, tokenizer)?;
        let given = spec.path.as_deref().ok_or_else(|| {
            PartError::InvalidConfig(format!(
                "the dataset \"{}\" reads a file and none is given; pass --dataset-path",
                spec.name
            ))
        })?;
        let path = match (given.is_dir(), in_folder) {
            (true, Some(file)) => given.join(file),
            (true, None) => {
                return Err(PartError::InvalidConfig(format!(
                    "the dataset \"{}\" reads a file and \"{}\" is a folder; give --dataset-path a file",
                    spec.name,
                    given.display()
                )));
            }
            (false, _) => given.to_path_buf(),
        };
        let reader = open_file(&path)?;
        let mut lines = Lines {
            name: spec.name.clone(),
            path,
            reader,
            prompts,
            read_line,
            buffer: Vec::new(),
            line: 0,
            usable: 0,
            unwanted: 0,
        };
        // A file without a usable line is found out now, and not by the first request.
        lines.next_prompt()?;
        lines.rewind()?;
        Ok(Box::new(lines))
    }

    /// Reads on to the next prompt; `None` at the end of the file.
    fn next_prompt(&mut self) -> Result<Option<Prompt>, PartError> {
        loop {
            self.buffer.clear();
            let read = self.reader.read_until(b'\n', &mut self.buffer).map_err(|error| {
                PartError::InvalidData(format!(
                    "the dataset file \"{}\" cannot be read: {error}; check --dataset-path",
                    self.path.display()
                ))
            })?;
            if read == 0 {
                return if self.usable == 0 { Err(self.nothing_usable()) } else { Ok(None) };
            }
            self.line += 1;
            let bytes = match self.line {
                1 => self.buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.buffer),
                _ => &self.buffer,
            };
            let text = std::str::from_utf8(bytes)
                .map_err(|_| self.bad_line("is not valid UTF-8; convert the file to UTF-8"))?
                .trim();
            if text.is_empty() {
                continue;
            }
            match (self.read_line)(text, &self.prompts).map_err(|reason| self.bad_line(&reason))? {
                None => self.unwanted += 1,
                Some(prompt) => {
                    self.usable += 1;
                    return Ok(Some(prompt));
                }
            }
        }
    }

    fn bad_line(&self, reason: &str) -> PartError {
        PartError::InvalidData(format!(
            "line {} of the dataset file \"{}\" {reason}",
            self.line,
            self.path.display()
        ))
    }

    fn nothing_usable(&self) -> PartError {
        let why = match self.unwanted {
            0 => "it is empty; check --dataset-path".to_string(),
            unwanted => format!(
                "the lengths of all {unwanted} lines are outside --min-prompt-length and --max-prompt-length; widen them"
            ),
        };
        PartError::InvalidData(format!(
            "the dataset file \"{}\" has no usable line: {why}",
            self.path.display()
        ))
    }
}

impl Dataset for Lines {
    fn name(&self) -> &str {
        &self.name
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut conversations = Vec::new();
        while conversations.len() < at_most {
            match self.next_prompt()? {
                Some(prompt) => conversations.push(prompt.into()),
                None => break,
            }
        }
        Ok(conversations)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.reader = open_file(&self.path)?;
        (self.line, self.usable, self.unwanted) = (0, 0, 0);
        Ok(())
    }
}

fn open_file(path: &Path) -> Result<BufReader<File>, PartError> {
    File::open(path).map(BufReader::new).map_err(|error| {
        let path = path.display();
        PartError::InvalidConfig(match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("the dataset file \"{path}\" does not exist; check --dataset-path")
            }
            _ => format!("the dataset file \"{path}\" cannot be opened: {error}; check --dataset-path"),
        })
    })
}
