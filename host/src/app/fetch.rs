//! Files that the user did not give and a hub has: the dataset's, and the tokenizer's.

use std::path::{Path, PathBuf};

use super::exit::AppError;
use crate::config::{Config, DataSource};
use crate::dataset::describe;
use crate::hub::{self, Fetched, Hub, Kind, Repository, Settings};
use crate::output::console::Console;
use crate::units::grouped;

/// The files that a tokenizer is made of; a repository has some of them.
const TOKENIZER: [&str; 4] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];

/// Where the run's tokenizer is, if it has one; downloaded if the path is none here and looks like
/// `owner/name`.
///
/// # Errors
/// If it cannot be had.
pub(super) fn tokenizer(config: &Config, console: &Console) -> Result<Option<PathBuf>, AppError> {
    let given = config.tokenizer_path.clone();
    let (Some(hub), Some(id)) = (hub_of(config), given.as_deref().and_then(repository_id)) else {
        return Ok(given);
    };
    let repository = Repository { hub, kind: Kind::Model, id: &id };
    let wanted = |path: &str| TOKENIZER.contains(&path);
    let fetched = fetch(repository, TOKENIZER[0], &wanted, "--tokenizer-path", console)?;
    Ok(Some(fetched.folder))
}

/// Where the run's dataset is, if it is one of files; downloaded if no path is given and a hub has it.
///
/// # Errors
/// If it cannot be had.
pub(super) fn dataset(config: &Config, console: &Console) -> Result<Option<PathBuf>, AppError> {
    let prompt = &config.prompt;
    let described = describe(&prompt.dataset).filter(|_| prompt.prompt.is_none());
    let place = described.and_then(|described| described.place);
    let (None, Some(place), Some(hub)) = (&prompt.dataset_path, place, hub_of(config)) else {
        return Ok(prompt.dataset_path.clone());
    };
    let id = match hub {
        Hub::ModelScope => place.model_scope,
        Hub::HuggingFace => place.hugging_face,
    };
    let repository = Repository { hub, kind: Kind::Dataset, id };
    let wanted = |path: &str| place.holds(path);
    let mut fetched = fetch(repository, place.file, &wanted, "--dataset-path", console)?;
    Ok(Some(if fetched.files.len() == 1 { fetched.files.remove(0) } else { fetched.folder }))
}

/// The hub that is asked; `None` if none may be.
fn hub_of(config: &Config) -> Option<Hub> {
    match config.prompt.data_source {
        None | Some(DataSource::ModelScope) => Some(Hub::ModelScope),
        Some(DataSource::HuggingFace) => Some(Hub::HuggingFace),
        Some(DataSource::Local) => None,
    }
}

fn fetch(
    repository: Repository<'_>,
    named: &str,
    wanted: &dyn Fn(&str) -> bool,
    flag: &str,
    console: &Console,
) -> Result<Fetched, AppError> {
    let settings = Settings::new(|name| std::env::var(name).ok());
    let mut progress = Told { console, repository };
    let fetched = hub::fetch(&settings, repository, named, wanted, &mut progress)
        .map_err(|error| AppError::usage(format!("{flag}: {error}")))?;
    if let Some(note) = &fetched.note {
        console.print(&format!("note: {note}"));
    }
    Ok(fetched)
}

/// `owner/name`, if the path is that and nothing on this machine.
fn repository_id(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let (owner, name) = text.split_once('/')?;
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    (plain(owner) && plain(name) && !path.exists()).then(|| text.to_string())
}

/// Shows how a download comes on.
struct Told<'a> {
    console: &'a Console,
    repository: Repository<'a>,
}

impl hub::Progress for Told<'_> {
    fn begin(&mut self, file: &str, bytes: Option<u64>, have: u64) {
        let size = bytes.map_or_else(String::new, |bytes| format!(" ({} bytes)", grouped(bytes)));
        let rest = match have {
            0 => String::new(),
            have => format!(", from byte {} on", grouped(have)),
        };
        self.console.print(&format!("downloading \"{file}\"{size} of {}{rest}", self.repository));
        self.console.start_download(file, bytes, have);
    }

    fn advance(&mut self, bytes: u64) {
        self.console.advance_download(bytes);
    }

    fn end(&mut self) {
        self.console.end_progress();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_told_from_a_path() {
        let id = |text: &str| repository_id(Path::new(text));
        assert_eq!(id("Qwen/Qwen2.5-0.5B-Instruct").as_deref(), Some("Qwen/Qwen2.5-0.5B-Instruct"));
        for path in ["missing", "/models/qwen", "./a/b", "a/b/c", "../a", "a/", "~/model"] {
            assert_eq!(id(path), None, "{path}");
        }
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(here.join("tests/data").exists());
    }
}
