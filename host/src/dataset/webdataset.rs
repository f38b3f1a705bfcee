//! Web datasets: tar archives in which files of the same name but for its ending are one item.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::PathBuf;

use super::DatasetSpec;
use super::source::files;
use crate::contract::{Conversation, Dataset, PartError};

/// The longest file in an archive, in bytes.
const LONGEST: u64 = 1 << 28;

/// Makes a conversation of a picture and a text.
pub(super) type Make = Box<dyn Fn(Vec<u8>, String) -> Result<Conversation, String> + Send>;

/// The items of one archive after another.
pub(super) struct WebDataset {
    name: String,
    archives: Vec<PathBuf>,
    archive: usize,
    reader: Option<Box<dyn BufRead + Send>>,
    /// What was read of the next item.
    begun: Option<(String, HashMap<String, Vec<u8>>)>,
    make: Make,
    usable: u64,
}

impl WebDataset {
    pub(super) fn open(
        spec: &DatasetSpec,
        archives: Vec<PathBuf>,
        make: Make,
    ) -> Result<WebDataset, PartError> {
        let mut dataset = WebDataset {
            name: spec.name.clone(),
            archives,
            archive: 0,
            reader: None,
            begun: None,
            make,
            usable: 0,
        };
        dataset.rewind()?;
        Ok(dataset)
    }

    fn next_item(&mut self) -> Result<Option<Conversation>, PartError> {
        loop {
            let item = match self.next_file()? {
                Some((name, bytes)) => {
                    let (stem, ending) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
                    let done = match &mut self.begun {
                        Some((begun, parts)) if begun == stem => {
                            parts.insert(ending.to_string(), bytes);
                            continue;
                        }
                        begun => begun.take(),
                    };
                    self.begun = Some((stem.to_string(), HashMap::from([(ending.to_string(), bytes)])));
                    done
                }
                None => match self.begun.take() {
                    Some(item) => Some(item),
                    None if self.usable == 0 => {
                        return Err(self.wrong("holds no pictures; check --dataset-path"));
                    }
                    None => return Ok(None),
                },
            };
            let Some((stem, mut parts)) = item else { continue };
            let picture = ["jpg", "jpeg", "png", "webp"].iter().find_map(|ending| parts.remove(*ending));
            let Some(picture) = picture else { continue };
            let text = parts.remove("txt").unwrap_or_default();
            let conversation = (self.make)(picture, String::from_utf8_lossy(&text).into_owned())
                .map_err(|reason| self.wrong(&format!("holds an item {stem:?} that {reason}")))?;
            self.usable += 1;
            return Ok(Some(conversation));
        }
    }

    /// The next file of the archives: its name and its bytes.
    fn next_file(&mut self) -> Result<Option<(String, Vec<u8>)>, PartError> {
        loop {
            let Some(reader) = &mut self.reader else { return Ok(None) };
            let read = read_file(reader.as_mut());
            match read.map_err(|reason| self.wrong(&reason))? {
                Entry::File(name, bytes) => return Ok(Some((name, bytes))),
                Entry::Other => {}
                Entry::End => {
                    self.archive += 1;
                    self.reader = match self.archives.get(self.archive) {
                        Some(path) => Some(files::reader(path)?),
                        None => None,
                    };
                }
            }
        }
    }

    fn wrong(&self, reason: &str) -> PartError {
        let path = self.archives.get(self.archive).or(self.archives.last());
        let path = path.map(|path| path.display().to_string()).unwrap_or_default();
        PartError::InvalidData(format!("the dataset file \"{path}\" {reason}"))
    }
}

enum Entry {
    File(String, Vec<u8>),
    Other,
    End,
}

/// The next entry of a tar archive (POSIX ustar). The error is the rest of a sentence about it.
fn read_file(reader: &mut dyn BufRead) -> Result<Entry, String> {
    const CUT: &str = "ends within an entry; get it whole again";
    const BLOCK: u64 = 512;
    let mut header = [0; BLOCK as usize];
    let mut filled = 0;
    while filled < header.len() {
        match reader.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(Entry::End),
            Ok(0) => return Err(CUT.into()),
            Ok(read) => filled += read,
            Err(error) => return Err(format!("cannot be read: {error}; check --dataset-path")),
        }
    }
    if header.iter().all(|byte| *byte == 0) {
        return Ok(Entry::End);
    }
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).trim().to_string()
    };
    let size = u64::from_str_radix(&text(&header[124..136]), 8)
        .map_err(|_| "is no tar archive; check --dataset-path".to_string())?;
    if size > LONGEST {
        return Err(format!("holds a file of {size} bytes, which is too long; check --dataset-path"));
    }
    let padded = size.div_ceil(BLOCK) * BLOCK;
    let mut bytes = Vec::new();
    let read = Read::take(&mut *reader, padded).read_to_end(&mut bytes);
    let read = read.map_err(|error| format!("cannot be read: {error}; check --dataset-path"))?;
    if (read as u64) < size {
        return Err(CUT.into());
    }
    bytes.truncate(size as usize);
    Ok(match header[156] {
        b'0' | 0 => Entry::File(text(&header[..100]), bytes),
        _ => Entry::Other,
    })
}

impl Dataset for WebDataset {
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
        (self.archive, self.usable, self.begun) = (0, 0, None);
        self.reader = match self.archives.first() {
            Some(path) => Some(files::reader(path)?),
            None => None,
        };
        Ok(())
    }
}
