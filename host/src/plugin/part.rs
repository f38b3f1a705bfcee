//! A plugin as one of the engine's parts.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use super::epoch::EpochClock;
use super::error::{CallError, PluginError};
use super::files::Files;
use super::limits::LimitsSpec;
use super::log_rate::LogRate;
use super::pool::{After, Pool};
use super::refusals::Refusals;
use super::sandbox::{Sandbox, Seed};
use super::v0_1::{self, ApiInstance, DatasetInstance, Opening};
use super::{Plugin, Role, Services};
use crate::contract::{
    Api, Conversation, Dataset, HttpRequest, Outcome, PartError, Reply, RunConfig, TurnInContext,
};

/// Instances of one plugin, at most, whatever the limits say: two plugins must fit into the
/// engine's pool of 256.
const MOST_INSTANCES: usize = 100;

/// All that a new instance of a plugin needs, kept for as long as instances may be made.
pub(super) struct Source {
    pre: InstancePre<Sandbox>,
    epochs: EpochClock,
    limits: Arc<LimitsSpec>,
    seed: Seed,
    config: RunConfig,
}

impl Source {
    /// What instances of `plugin` as `role` are made from.
    ///
    /// # Errors
    /// If it does not have that role, or its schema refuses the options.
    pub(super) fn new(
        plugin: &Plugin,
        role: Role,
        config: &RunConfig,
        services: &Services,
    ) -> Result<Source, PluginError> {
        plugin.check_options(role, &config.options)?;
        let files = Files::new(config.dataset_path.clone().filter(|_| role == Role::Dataset));
        let seed = Seed {
            plugin: plugin.name().into(),
            memory: plugin.runtime.limits.memory,
            seed: config.seed,
            services: services.clone(),
            files: Arc::new(files),
            wasi_files: plugin.imports.iter().any(|name| name.starts_with("wasi:filesystem/preopens@")),
            granted: Arc::clone(&plugin.runtime.granted),
            refusals: Refusals::default(),
            log_rate: LogRate::default(),
        };
        let limits = Arc::clone(&plugin.runtime.limits);
        let epochs = plugin.runtime.epochs.clone();
        Ok(Source { pre: plugin.pre.clone(), epochs, limits, seed, config: config.clone() })
    }

    /// A new instance as an API, opened.
    pub(super) fn api(&self, exports: &v0_1::ApiExports) -> Result<ApiInstance, CallError> {
        ApiInstance::new(&self.opening(), exports)
    }

    /// A new instance as a dataset, opened.
    pub(super) fn dataset(&self, exports: &v0_1::DatasetExports) -> Result<DatasetInstance, CallError> {
        DatasetInstance::new(&self.opening(), exports)
    }

    fn opening(&self) -> Opening<'_> {
        let Source { pre, epochs, limits, seed, config } = self;
        Opening { pre, epochs, limits, seed, config }
    }
}

/// What `open` said, in the words for a run that does not start.
fn refused(error: CallError) -> PluginError {
    match error {
        CallError::Answered { plugin, error, .. } => PluginError::Refused { plugin, error },
        other => other.into(),
    }
}

/// A plugin as an API.
pub(super) struct PluginApi {
    source: Source,
    api: v0_1::ApiExports,
    pool: Pool<ApiInstance>,
}

impl PluginApi {
    /// Checks the options and opens a first instance.
    pub(super) fn open(
        plugin: &Plugin,
        config: &RunConfig,
        services: &Services,
    ) -> Result<PluginApi, PluginError> {
        let source = Source::new(plugin, Role::Api, config, services)?;
        let Some(api) = plugin.roles.api.clone() else {
            let plugin = plugin.name().to_owned();
            return Err(PluginError::Role { plugin, asked: Role::Api, offered: Role::Dataset });
        };
        let first = source.api(&api).map_err(refused)?;
        let pool = Pool::new(first, source.limits.instances.min(MOST_INSTANCES));
        Ok(PluginApi { source, api, pool })
    }

    fn call<R>(
        &self,
        call: impl FnOnce(&mut ApiInstance) -> (Result<R, CallError>, After),
    ) -> Result<R, PartError> {
        Ok(self.pool.with(|| self.source.api(&self.api), call)?)
    }
}

impl Api for PluginApi {
    fn name(&self) -> &str {
        &self.source.seed.plugin
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        self.call(|instance| instance.shape(turn))
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        self.call(|instance| instance.parse(reply))
    }
}

/// A plugin as a dataset.
pub(super) struct PluginDataset {
    source: Source,
    dataset: v0_1::DatasetExports,
    /// `None` after a failed call: a dataset that lost its place cannot go on, only begin again.
    instance: Option<DatasetInstance>,
}

impl PluginDataset {
    /// Checks the options and opens an instance.
    pub(super) fn open(
        plugin: &Plugin,
        config: &RunConfig,
        services: &Services,
    ) -> Result<PluginDataset, PluginError> {
        let source = Source::new(plugin, Role::Dataset, config, services)?;
        let Some(dataset) = plugin.roles.dataset.clone() else {
            let plugin = plugin.name().to_owned();
            return Err(PluginError::Role { plugin, asked: Role::Dataset, offered: Role::Api });
        };
        let instance = Some(source.dataset(&dataset).map_err(refused)?);
        Ok(PluginDataset { source, dataset, instance })
    }
}

impl Dataset for PluginDataset {
    fn name(&self) -> &str {
        &self.source.seed.plugin
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let Some(instance) = &mut self.instance else {
            let plugin = &self.source.seed.plugin;
            return Err(PartError::Internal(format!(
                "the dataset plugin \"{plugin}\" has failed before and cannot go on; start it again"
            )));
        };
        let batch = instance.next(at_most);
        if batch.is_err() {
            self.instance = None;
        }
        Ok(batch?)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.instance = None;
        let opened = self.source.dataset(&self.dataset).map_err(refused)?;
        self.instance = Some(opened);
        Ok(())
    }
}
