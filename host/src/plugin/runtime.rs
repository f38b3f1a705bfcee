//! The WebAssembly engine of the process, and what every plugin may import.

use std::sync::{Arc, OnceLock};

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::cache::Cache;
use super::epoch::EpochClock;
use super::error::{PluginError, one_line};
use super::grants::{Grant, Granted};
use super::limits::LimitsSpec;
use super::sandbox::Sandbox;
use super::{v0_1, wasi};

/// What plugins run in: one engine for the process, and the bounds of this run. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    /// Compiles and runs.
    pub(super) engine: Engine,
    /// What ends a call that takes too long.
    pub(super) epochs: EpochClock,
    /// What plugins may import.
    pub(super) linker: Arc<Linker<Sandbox>>,
    /// Where compiled components are kept between runs; a cache that cannot be used is no error.
    pub(super) cache: Option<Arc<Cache>>,
    /// The bounds.
    pub(super) limits: Arc<LimitsSpec>,
    /// What plugins may use beyond what all of them get.
    pub(super) granted: Arc<Granted>,
}

/// How much compiled code is kept, in bytes: some dozens of the largest plugins.
const MOST_CODE: u64 = 2 << 30;

impl Runtime {
    /// A runtime in which every plugin is bounded by `limits`.
    ///
    /// # Errors
    /// [`PluginError::Engine`] if the machine does not allow WebAssembly to run.
    pub fn new(limits: LimitsSpec) -> Result<Runtime, PluginError> {
        static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let engine = engine()?;
            let linker = linker(&engine).map_err(|error| one_line(&format!("{error:#}")))?;
            let epochs = EpochClock::start(engine.clone()).map_err(|error| error.to_string())?;
            Ok((engine, epochs, Arc::new(linker), Cache::of_user("compiled", MOST_CODE).map(Arc::new)))
        });
        let (engine, epochs, linker, cache) = shared.clone().map_err(PluginError::Engine)?;
        Ok(Runtime { engine, epochs, linker, cache, limits: Arc::new(limits), granted: Arc::default() })
    }

    /// The same runtime, in which plugins may use what `grants` name.
    ///
    /// # Errors
    /// [`PluginError::Grant`] if something that is granted is not there.
    pub fn allowing(self, grants: &[Grant]) -> Result<Runtime, PluginError> {
        let granted = Granted::look_up(grants).map_err(PluginError::Grant)?;
        Ok(Runtime { granted: Arc::new(granted), ..self })
    }

    /// The bounds of every plugin.
    pub fn limits(&self) -> &LimitsSpec {
        &self.limits
    }
}

/// What all runtimes of the process share.
type Shared = (Engine, EpochClock, Arc<Linker<Sandbox>>, Option<Arc<Cache>>);

fn engine() -> Result<Engine, String> {
    let new = |pooling: bool| {
        let mut config = Config::new();
        config.epoch_interruption(true).wasm_backtrace_details(WasmBacktraceDetails::Disable);
        if pooling {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        }
        Engine::new(&config)
    };
    // The pool reserves some hundreds of GiB of addresses. Where a limit forbids that, instances
    // are allocated one by one, which takes half as long again (17 µs, not 11).
    new(true).or_else(|_| new(false)).map_err(|error| one_line(&format!("{error:#}")))
}

/// Slots for as many instances as a run has at most: two plugins, one instance for each worker.
/// The sizes fit the largest guests that there are, CPython and StarlingMonkey.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(256)
        .total_core_instances(2048)
        .total_memories(256)
        .total_tables(1024)
        .total_stacks(0)
        .max_memory_size(4 << 30)
        .table_elements(100_000)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_unused_warm_slots(64);
    pool
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Sandbox>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    v0_1::bindings::tickrate::plugin::host::add_to_linker::<Sandbox, HasSelf<Sandbox>>(&mut linker, |s| s)?;
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_engine_serves_the_whole_process() {
        let one = Runtime::new(LimitsSpec::default()).unwrap();
        let two = Runtime::new(LimitsSpec { memory: 1, ..LimitsSpec::default() }).unwrap();
        assert!(Engine::same(&one.engine, &two.engine));
        assert_eq!(two.limits().memory, 1);
    }
}
