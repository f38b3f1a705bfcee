//! Live instances of a plugin, and calls of them within their limits.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::bindings::exports::tickrate::plugin as exports;
use super::bindings::tickrate::plugin::types as wit;
use super::{INFO, answers, questions};
use crate::contract::{Conversation, HttpRequest, Outcome, Reply, RunConfig, TurnInContext};
use crate::plugin::epoch::{EpochClock, epochs};
use crate::plugin::error::CallError;
use crate::plugin::limits::{Call, LimitsSpec};
use crate::plugin::pool::After;
use crate::plugin::refusals::advice;
use crate::plugin::sandbox::{Sandbox, Seed};
use crate::plugin::{PluginInfo, Role};

/// Where a component's exports are; those that it has.
#[derive(Clone)]
pub(in crate::plugin) struct Roles {
    /// Every plugin has it.
    pub(in crate::plugin) info: exports::info::GuestIndices,
    /// If it is a dataset.
    pub(in crate::plugin) dataset: Option<exports::dataset::GuestIndices>,
    /// If it is an API.
    pub(in crate::plugin) api: Option<exports::api::GuestIndices>,
}

impl Roles {
    /// Looks for the exports; `None` if it has no `info`, or no other.
    pub(in crate::plugin) fn of(pre: &InstancePre<Sandbox>) -> Option<Roles> {
        let roles = Roles {
            info: exports::info::GuestIndices::new(pre).ok()?,
            dataset: exports::dataset::GuestIndices::new(pre).ok(),
            api: exports::api::GuestIndices::new(pre).ok(),
        };
        (roles.dataset.is_some() || roles.api.is_some()).then_some(roles)
    }
}

/// Where the functions of `api` are in a component.
pub(in crate::plugin) type ApiExports = exports::api::GuestIndices;

/// Where the functions of `dataset` are in a component.
pub(in crate::plugin) type DatasetExports = exports::dataset::GuestIndices;

/// What every new instance needs.
pub(in crate::plugin) struct Opening<'a> {
    /// The component, linked.
    pub(in crate::plugin) pre: &'a InstancePre<Sandbox>,
    /// What ends a call that takes too long.
    pub(in crate::plugin) epochs: &'a EpochClock,
    /// Its bounds.
    pub(in crate::plugin) limits: &'a LimitsSpec,
    /// What its sandbox starts with.
    pub(in crate::plugin) seed: &'a Seed,
    /// What it is opened with.
    pub(in crate::plugin) config: &'a RunConfig,
}

/// A store and what lives in it.
struct Live<G> {
    store: Store<Sandbox>,
    guest: G,
    epochs: EpochClock,
    limits: LimitsSpec,
    plugin: std::sync::Arc<str>,
    /// Bytes of memory above which the instance is not used again.
    grown: usize,
}

impl<G> Live<G> {
    fn new(
        opening: &Opening<'_>,
        load: impl FnOnce(&mut Store<Sandbox>, &wasmtime::component::Instance) -> wasmtime::Result<G>,
    ) -> Result<Live<G>, CallError> {
        let Opening { pre, limits, seed, .. } = opening;
        let mut store = Store::new(pre.engine(), Sandbox::new(seed)?);
        store.limiter(|sandbox| &mut sandbox.limiter);
        store.set_hostcall_fuel(limits.answer);
        store.set_epoch_deadline(epochs(limits.open));
        store.data_mut().begin_call(limits.open);
        let running = opening.epochs.call();
        let guest = pre.instantiate(&mut store).and_then(|instance| load(&mut store, &instance));
        drop(running);
        let plugin = std::sync::Arc::clone(&seed.plugin);
        match guest {
            Ok(guest) => {
                let (epochs, grown) = (opening.epochs.clone(), limits.memory);
                Ok(Live { store, guest, epochs, limits: (*limits).clone(), plugin, grown })
            }
            Err(error) => {
                let call =
                    Call { plugin: &plugin, function: "open", time: limits.open, answer: limits.answer };
                let last_words = store.data_mut().end_call();
                Err(call.failed(&error, &store.data().limiter, last_words.as_deref()))
            }
        }
    }

    /// One call of `function` that may take `time`, whose answer is understood by `read`.
    fn call<A, R>(
        &mut self,
        function: &'static str,
        time: Duration,
        call: impl FnOnce(&mut Store<Sandbox>, &G) -> wasmtime::Result<Result<A, wit::PluginError>>,
        read: impl FnOnce(A) -> Result<R, String>,
    ) -> (Result<R, CallError>, After) {
        self.store.set_epoch_deadline(epochs(time));
        self.store.data_mut().begin_call(time);
        let running = self.epochs.call();
        let answer = call(&mut self.store, &self.guest);
        drop(running);
        let refused = self.store.data_mut().refused(function);
        let last_words = self.store.data_mut().end_call();
        let plugin = || self.plugin.to_string();
        match answer {
            Err(error) => {
                let call = Call { plugin: &self.plugin, function, time, answer: self.limits.answer };
                let error = call.failed(&error, &self.store.data().limiter, last_words.as_deref());
                // A panic looks for RUST_BACKTRACE, which is no reason for it.
                let refused = refused.into_iter().filter(|what| what.starts_with("net=")).collect::<Vec<_>>();
                (Err(error.advised(advice(&refused))), After::Retire)
            }
            Ok(Err(error)) => {
                let error = answers::error(error);
                let answered = CallError::Answered { plugin: plugin(), function, error };
                (Err(answered.advised(advice(&refused))), self.after())
            }
            Ok(Ok(answer)) => {
                let nonsense = |reason| CallError::Nonsense { plugin: plugin(), function, reason };
                (read(answer).map_err(nonsense), self.after())
            }
        }
    }

    /// An instance that has used up half of what it had left after it was opened is given up
    /// before it hits the bound: a leak then costs a new instance, not a request.
    fn after(&self) -> After {
        if self.store.data().limiter.used() > self.grown { After::Retire } else { After::Keep }
    }

    /// Bytes of memory that the instance has.
    fn memory(&self) -> usize {
        self.store.data().limiter.used()
    }

    fn opened(&mut self, opened: Result<(), CallError>) -> Result<(), CallError> {
        let used = self.store.data().limiter.used();
        self.grown = used + (self.limits.memory.saturating_sub(used)) / 2;
        opened
    }
}

/// An instance that is only asked who it is.
pub(in crate::plugin) struct InfoInstance(Live<exports::info::Guest>);

impl InfoInstance {
    /// A new instance.
    pub(in crate::plugin) fn new(opening: &Opening<'_>, roles: &Roles) -> Result<InfoInstance, CallError> {
        Ok(InfoInstance(Live::new(opening, |store, instance| roles.info.load(store, instance))?))
    }

    /// Whether the types of its other exports are those of the contract.
    pub(in crate::plugin) fn check(
        opening: &Opening<'_>,
        roles: &Roles,
    ) -> Result<wasmtime::Result<()>, CallError> {
        let mut store = Store::new(opening.pre.engine(), Sandbox::new(opening.seed)?);
        store.limiter(|sandbox| &mut sandbox.limiter);
        store.set_epoch_deadline(epochs(opening.limits.open));
        let _running = opening.epochs.call();
        Ok(opening.pre.instantiate(&mut store).and_then(|instance| {
            if let Some(dataset) = &roles.dataset {
                dataset.load(&mut store, &instance)?;
            }
            if let Some(api) = &roles.api {
                api.load(&mut store, &instance)?;
            }
            Ok(())
        }))
    }

    /// What it says of itself.
    pub(in crate::plugin) fn ask(&mut self, roles: &[Role]) -> Result<PluginInfo, CallError> {
        let time = INFO.min(self.0.limits.open);
        let live = &mut self.0;
        let name =
            live.call("name", time, |s, g| g.call_name(s).map(Ok), |text| answers::label("name", text)).0?;
        let version = live
            .call("version", time, |s, g| g.call_version(s).map(Ok), |text| answers::label("version", text))
            .0?;
        let mut schemas = Vec::new();
        for &role in roles {
            let asked = match role {
                Role::Dataset => exports::info::Role::Dataset,
                Role::Api => exports::info::Role::Api,
            };
            let schema =
                live.call("options-schema", time, |s, g| g.call_options_schema(s, asked).map(Ok), Ok).0?;
            schemas.push((role, schema));
        }
        Ok(PluginInfo { name, version, schemas })
    }
}

/// An open instance of an API.
pub(in crate::plugin) struct ApiInstance(Live<exports::api::Guest>);

impl ApiInstance {
    /// A new instance, opened.
    pub(in crate::plugin) fn new(
        opening: &Opening<'_>,
        api: &exports::api::GuestIndices,
    ) -> Result<ApiInstance, CallError> {
        let mut live = Live::new(opening, |store, instance| api.load(store, instance))?;
        let texts = questions::Config::new(opening.config, None);
        let config = texts.borrow(opening.config);
        let opened = live.call("open", opening.limits.open, |store, api| api.call_open(store, config), Ok).0;
        live.opened(opened)?;
        Ok(ApiInstance(live))
    }

    /// Bytes of memory that it has.
    pub(in crate::plugin) fn memory(&self) -> usize {
        self.0.memory()
    }

    /// The request for a turn.
    pub(in crate::plugin) fn shape(
        &mut self,
        turn: &TurnInContext,
    ) -> (Result<HttpRequest, CallError>, After) {
        questions::with_turn(turn, |turn| {
            let time = self.0.limits.call;
            self.0.call("shape", time, |store, api| api.call_shape(store, turn), answers::request)
        })
    }

    /// What a reply says.
    pub(in crate::plugin) fn parse(&mut self, reply: &Reply<'_>) -> (Result<Outcome, CallError>, After) {
        let Some(marks) = questions::marks(reply) else {
            let (plugin, bytes) = (self.0.plugin.to_string(), reply.payload.len());
            return (Err(CallError::Input { plugin, what: "a reply", bytes }), After::Keep);
        };
        let time = self.0.limits.call;
        let question = questions::reply(reply, &marks);
        let read = |outcome| answers::outcome(outcome, reply.frames.len());
        self.0.call("parse", time, |store, api| api.call_parse(store, question), read)
    }
}

/// An open instance of a dataset.
pub(in crate::plugin) struct DatasetInstance(Live<exports::dataset::Guest>);

impl DatasetInstance {
    /// A new instance, opened.
    pub(in crate::plugin) fn new(
        opening: &Opening<'_>,
        dataset: &exports::dataset::GuestIndices,
    ) -> Result<DatasetInstance, CallError> {
        let mut live = Live::new(opening, |store, instance| dataset.load(store, instance))?;
        let texts = questions::Config::new(opening.config, opening.seed.files.guest_path());
        let config = texts.borrow(opening.config);
        let opened =
            live.call("open", opening.limits.open, |store, data| data.call_open(store, config), Ok).0;
        live.opened(opened)?;
        Ok(DatasetInstance(live))
    }

    /// Bytes of memory that it has.
    pub(in crate::plugin) fn memory(&self) -> usize {
        self.0.memory()
    }

    /// At most `at_most` further conversations.
    pub(in crate::plugin) fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, CallError> {
        let time = self.0.limits.next;
        let wanted = u32::try_from(at_most).unwrap_or(u32::MAX);
        let read = |batch| answers::conversations(batch, at_most);
        self.0.call("next", time, |store, dataset| dataset.call_next(store, wanted), read).0
    }
}
