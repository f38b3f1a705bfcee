//! Files from a hub: looked up, downloaded once, checked, and kept where the hub's own programs keep
//! theirs, so that either finds what the other has fetched.

mod cache;
mod checksum;
mod client;
mod listing;
mod settings;

use std::path::{Path, PathBuf};

use self::cache::Cache;
use self::client::{Client, Unfinished};
use self::listing::Listing;

pub use settings::{HubSettings, Settings};

/// Where repositories are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hub {
    /// huggingface.co, or what stands in for it.
    HuggingFace,
    /// modelscope.cn, or what stands in for it.
    ModelScope,
}

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A dataset.
    Dataset,
    /// A model, of which the tokenizer is a part.
    Model,
}

/// A repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repository<'a> {
    /// The hub it is on.
    pub hub: Hub,
    /// What it holds.
    pub kind: Kind,
    /// `owner/name`.
    pub id: &'a str,
}

impl std::fmt::Display for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hub = match self.hub {
            Hub::HuggingFace => "Hugging Face",
            Hub::ModelScope => "ModelScope",
        };
        write!(f, "\"{}\" on {hub}", self.id)
    }
}

/// Is told how a download comes on.
pub trait Progress {
    /// A file is about to be downloaded: its name, its size in bytes, and how many of them were there.
    fn begin(&mut self, file: &str, bytes: Option<u64>, have: u64);
    /// So many bytes of it have come.
    fn advance(&mut self, bytes: u64);
    /// A download is over, well or badly.
    fn end(&mut self);
}

/// Why files could not be had. The text is one line that says what to do; no token is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// There is no network, or no hub on it.
    #[error("{0} cannot be reached: {1}; check the network and {2}, or fetch the file by other means")]
    Unreachable(String, String, &'static str),
    /// The user wants no network and the files are not there.
    #[error("{0} is not in the cache \"{1}\", and {2} forbids to download it; unset it, or give a path")]
    Offline(String, String, &'static str),
    /// The hub wants to know who asks.
    #[error("{0} is not for everybody (HTTP {1}): set {2} to a token that may read it, or give a path")]
    Refused(String, u16, &'static str),
    /// The hub has no such repository.
    #[error("there is no {0} (HTTP 404), or it is private: check its name, or choose another --data-source")]
    NoRepository(String),
    /// The repository has no such file.
    #[error("{0} holds no \"{1}\": choose another --data-source, or give a path")]
    NoFile(String, String),
    /// The hub answered with something else.
    #[error("{0} cannot be had: {1}; try again later")]
    Answer(String, String),
    /// A download broke off, again and again.
    #[error("the download of \"{0}\" broke off: {1}; {2} bytes are kept: start again to go on from there")]
    Broken(String, String, u64),
    /// A file is not what the hub says it is.
    #[error(
        "\"{0}\" is damaged: its checksum is {1} and should be {2}; it was deleted: try again, and if that does not help ask who runs the hub"
    )]
    Checksum(String, String, String),
    /// The cache cannot be written to.
    #[error("the cache cannot hold \"{0}\": {1}; free some space or set {2} to another folder")]
    Cache(String, String, &'static str),
}

impl Hub {
    /// The variable that says where the hub is.
    fn endpoint_variable(self) -> &'static str {
        match self {
            Hub::HuggingFace => "HF_ENDPOINT",
            Hub::ModelScope => "MODELSCOPE_ENDPOINT",
        }
    }

    /// The variable that holds the token.
    fn token_variable(self) -> &'static str {
        match self {
            Hub::HuggingFace => "HF_TOKEN",
            Hub::ModelScope => "MODELSCOPE_API_TOKEN",
        }
    }

    /// The variable that says where files are kept.
    fn cache_variable(self) -> &'static str {
        match self {
            Hub::HuggingFace => "HF_HOME",
            Hub::ModelScope => "MODELSCOPE_CACHE",
        }
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folder that holds the repository's files.
    pub folder: PathBuf,
    /// The files, in the order of their names.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub note: Option<String>,
}

/// Sees to it that those files of a repository that are `wanted`, by their paths in it, are on the
/// disk; `named` is what to call them. What is in the cache as the hub has it now is not downloaded
/// again; where the hub cannot be reached, what is in the cache is taken as it is.
///
/// # Errors
/// If one of the files cannot be had, or is not what the hub says it is.
pub fn fetch(
    settings: &Settings,
    repository: Repository<'_>,
    named: &str,
    wanted: &dyn Fn(&str) -> bool,
    progress: &mut dyn Progress,
) -> Result<Fetched, HubError> {
    let settings = settings.of(repository.hub);
    let cache = Cache::new(settings, repository);
    let cached = || cache.newest(wanted);
    if let Some(variable) = settings.offline {
        return cached().ok_or_else(|| {
            let folder = cache.folder().display().to_string();
            HubError::Offline(format!("\"{named}\" of {repository}"), folder, variable)
        });
    }
    let client = Client::new(settings, repository)?;
    let mut listing = match client.list() {
        Ok(listing) => listing,
        Err(HubError::Unreachable(what, why, variable)) => {
            let mut found = cached().ok_or(HubError::Unreachable(what.clone(), why, variable))?;
            found.note = Some(format!("{what} cannot be reached; \"{named}\" is taken from the cache"));
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    listing.files.retain(|file| wanted(&file.path) && is_below(&file.path));
    listing.files.sort_by(|a, b| a.path.cmp(&b.path));
    if listing.files.is_empty() {
        return Err(HubError::NoFile(repository.to_string(), named.to_string()));
    }
    let Listing { commit, files } = &listing;
    let mut paths = Vec::with_capacity(files.len());
    for file in files {
        if let Some(path) = cache.find(commit, file) {
            paths.push(path);
            continue;
        }
        let unfinished = Unfinished { file, commit, path: cache.unfinished(file) };
        client.download(&unfinished, progress)?;
        paths.push(cache.keep(commit, file)?);
    }
    cache.remember(commit)?;
    Ok(Fetched { folder: cache.snapshot(commit), files: paths, note: None })
}

/// Whether a path of a listing stays below the folder that it is put into.
fn is_below(path: &str) -> bool {
    !path.contains('\\')
        && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_cannot_lead_out_of_its_folder() {
        for path in ["a.json", "data/a.json", "..a"] {
            assert!(is_below(path), "{path}");
        }
        for path in ["../a", "/etc/passwd", "data/../../a", "a\\..\\b"] {
            assert!(!is_below(path), "{path}");
        }
    }
}
