//! WASM components as datasets and APIs: found out about, bounded, and handed to the engine as
//! the same traits that native parts implement. `docs/plugins.md` is for those who write them.

pub mod bench;
pub mod build;
mod cache;
pub mod check;
mod compiled;
mod epoch;
mod error;
mod fetch;
mod files;
mod grants;
pub mod inspect;
pub mod language;
mod limits;
mod log_rate;
mod options;
mod part;
mod pool;
mod probe;
mod refusals;
pub mod replies;
mod runtime;
mod sandbox;
pub mod scaffold;
mod sdk;
mod v0_1;
mod wasi;
mod wit;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::InstancePre;

pub use error::{CallError, PluginError};
pub use fetch::FetchError;
pub use grants::{Grant, GrantError};
pub use limits::LimitsSpec;
pub use runtime::Runtime;

use crate::contract::{Api, Dataset, RunConfig};
use crate::record::PluginIdentity;
use sandbox::Sandbox;

/// What a plugin can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A source of conversations.
    Dataset,
    /// The dialect of a server.
    Api,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Dataset => "dataset",
            Role::Api => "api",
        })
    }
}

/// The run's tokenizer, as plugins may use it. Errors are one line.
pub trait HostTokenizer: Send + Sync {
    /// How many tokens `text` has, special tokens not counted.
    fn count(&self, text: &str) -> Result<usize, String>;

    /// The tokens of `text`, special tokens not added.
    fn encode(&self, text: &str) -> Result<Vec<u32>, String>;

    /// The text of `tokens`.
    fn decode(&self, tokens: &[u32]) -> Result<String, String>;
}

/// Takes a line that a plugin writes: its level (`debug`, `info`, `warn`, `error`) and its text.
pub type Log = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// What the run offers to its plugins.
#[derive(Clone)]
pub struct Services {
    /// The tokenizer, if the run has one.
    pub tokenizer: Option<Arc<dyn HostTokenizer>>,
    /// Where lines of the log go.
    pub log: Log,
}

impl Services {
    /// No tokenizer, and a log that nobody reads.
    pub fn none() -> Services {
        Services { tokenizer: None, log: Arc::new(|_, _| ()) }
    }

    fn tokenizer(&self) -> Result<&dyn HostTokenizer, String> {
        self.tokenizer.as_deref().ok_or_else(|| "the run has no tokenizer; give --tokenizer-path".to_owned())
    }
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The JSON Schema of its options in each of its roles, as text.
    pub schemas: Vec<(Role, String)>,
}

/// A component, compiled and known; nothing of it runs until a part is made of it.
#[derive(Clone)]
pub struct Plugin {
    runtime: Runtime,
    path: PathBuf,
    sha256: String,
    bytes: u64,
    contract: String,
    exports: Vec<String>,
    imports: Vec<String>,
    info: PluginInfo,
    roles: v0_1::Roles,
    pre: InstancePre<Sandbox>,
}

impl Plugin {
    /// Reads and compiles the component at `path` and asks it who it is. The compiled code is
    /// cached, so that this takes milliseconds from the second time on.
    ///
    /// # Errors
    /// If the file is no component, speaks another version of the contract, exports or imports
    /// what does not fit, or cannot say who it is within its limits.
    pub fn open(runtime: &Runtime, path: &Path) -> Result<Plugin, PluginError> {
        probe::open(runtime, path)
    }

    /// The plugin that `reference` names: a file, an `https://` URL with `#sha256=` and the SHA-256 of
    /// the component, or `oci://REGISTRY/NAME:TAG`. What comes over the network is kept.
    ///
    /// # Errors
    /// If it cannot be fetched, is not what it is pinned to, or cannot be opened.
    pub fn find(runtime: &Runtime, reference: &str) -> Result<Plugin, PluginError> {
        let (path, wanted) = fetch::resolve(&fetch::Reference::parse(reference)?)?;
        let plugin = Plugin::open(runtime, &path)?;
        match wanted {
            Some(wanted) if wanted != plugin.sha256 => {
                let found = plugin.sha256;
                Err(FetchError::Pin { from: reference.to_owned(), found, wanted }.into())
            }
            _ => Ok(plugin),
        }
    }

    /// The name it gives itself.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The version it gives itself.
    pub fn version(&self) -> &str {
        &self.info.version
    }

    /// The file it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Size of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The version of the contract that it was built for: `0.1.0`.
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// The interfaces that it exports, sorted.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// The interfaces that it imports, in the component's order.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// What it says of itself.
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// What it can be used for; at least one.
    pub fn roles(&self) -> Vec<Role> {
        self.info.schemas.iter().map(|(role, _)| *role).collect()
    }

    /// What goes into the records of a run that uses it as `role`.
    pub fn identity(&self, role: Role) -> PluginIdentity {
        PluginIdentity {
            role: role.to_string(),
            name: self.info.name.clone(),
            version: self.info.version.clone(),
            sha256: self.sha256.clone(),
        }
    }

    /// Checks `options` against its schema for `role`.
    ///
    /// # Errors
    /// With all problems in one line, or if it does not have that role.
    pub fn check_options(
        &self,
        role: Role,
        options: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), PluginError> {
        options::check(&self.info, role, options)
    }

    /// Makes an API of it: checks the options and opens a first instance. The calls block; make
    /// them from threads that may wait, not from within an async runtime.
    ///
    /// # Errors
    /// If it is no API, or refuses the options or the configuration.
    pub fn api(&self, config: &RunConfig, services: &Services) -> Result<Arc<dyn Api>, PluginError> {
        Ok(Arc::new(part::PluginApi::open(self, config, services)?))
    }

    /// Makes a dataset of it: checks the options and opens an instance. The calls block.
    ///
    /// # Errors
    /// If it is no dataset, or refuses the options or the configuration.
    pub fn dataset(&self, config: &RunConfig, services: &Services) -> Result<Box<dyn Dataset>, PluginError> {
        Ok(Box::new(part::PluginDataset::open(self, config, services)?))
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("path", &self.path).field("info", &self.info).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
