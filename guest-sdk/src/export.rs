//! The macros that turn an implementation into the exports of a component.

use std::cell::RefCell;

use crate::PluginError;

/// Holds the one open plugin of an instance.
#[doc(hidden)]
pub struct Slot<T>(RefCell<Option<T>>);

impl<T> Slot<T> {
    /// A slot for a plugin that is not open yet.
    pub const fn new() -> Slot<T> {
        Slot(RefCell::new(None))
    }

    /// Opens it, and from then on reports its panics: without this a plugin for
    /// `wasm32-unknown-unknown` would die without a word.
    pub fn open(&self, open: impl FnOnce() -> Result<T, PluginError>) -> Result<(), PluginError> {
        #[cfg(target_arch = "wasm32")]
        std::panic::set_hook(Box::new(|panic| {
            let text = panic.to_string().replace('\n', " ");
            crate::host::log(crate::host::Level::Error, &text);
        }));
        *self.0.borrow_mut() = Some(open()?);
        Ok(())
    }

    /// Calls the open plugin.
    pub fn call<R>(&self, call: impl FnOnce(&mut T) -> Result<R, PluginError>) -> Result<R, PluginError> {
        match self.0.borrow_mut().as_mut() {
            Some(plugin) => call(plugin),
            None => Err(PluginError::Internal("the plugin was called before it was opened".into())),
        }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot::new()
    }
}

/// Exports an implementation of [`Api`](crate::Api): `export_api!(MyApi);`.
#[macro_export]
macro_rules! export_api {
    ($api:ty) => {
        $crate::__export_plugin!(api: $api);
        $crate::__export_plugin!(info
            |_role| <$api as $crate::Api>::options_schema());
    };
}

/// Exports an implementation of [`Dataset`](crate::Dataset): `export_dataset!(MyData);`.
#[macro_export]
macro_rules! export_dataset {
    ($dataset:ty) => {
        $crate::__export_plugin!(dataset: $dataset);
        $crate::__export_plugin!(info
            |_role| <$dataset as $crate::Dataset>::options_schema());
    };
}

/// Exports both: `export_plugin!(api: MyApi, dataset: MyData);`.
#[macro_export]
macro_rules! export_plugin {
    (api: $api:ty, dataset: $dataset:ty $(,)?) => {
        $crate::__export_plugin!(api: $api);
        $crate::__export_plugin!(dataset: $dataset);
        $crate::__export_plugin!(info |role| match role {
            $crate::bindings::info::exports::tickrate::plugin::info::Role::Api => {
                <$api as $crate::Api>::options_schema()
            }
            $crate::bindings::info::exports::tickrate::plugin::info::Role::Dataset => {
                <$dataset as $crate::Dataset>::options_schema()
            }
        });
    };
}

/// One exported interface.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_plugin {
    (info |$role:ident| $schema:expr) => {
        const _: () = {
            struct Info;
            impl $crate::bindings::info::exports::tickrate::plugin::info::Guest for Info {
                fn name() -> ::std::string::String {
                    ::core::env!("CARGO_PKG_NAME").into()
                }
                fn version() -> ::std::string::String {
                    ::core::env!("CARGO_PKG_VERSION").into()
                }
                fn options_schema(
                    $role: $crate::bindings::info::exports::tickrate::plugin::info::Role,
                ) -> ::std::string::String {
                    ($schema).into()
                }
            }
    $crate::bindings::info::export_info!(Info with_types_in $crate::bindings::info);
        };
    };
    (api: $api:ty) => {
        const _: () = {
            ::std::thread_local! {
                static OPEN: $crate::Slot<$api> = const { $crate::Slot::new() };
            }
            struct Export;
            impl $crate::bindings::api::exports::tickrate::plugin::api::Guest for Export {
                fn open(config: $crate::RunConfig) -> ::core::result::Result<(), $crate::PluginError> {
                    OPEN.with(|slot| slot.open(|| <$api as $crate::Api>::open(config)))
                }
                fn shape(
                    turn: $crate::TurnInContext,
                ) -> ::core::result::Result<$crate::HttpRequest, $crate::PluginError> {
                    OPEN.with(|slot| slot.call(|api| $crate::Api::shape(api, turn)))
                }
                fn parse(
                    reply: $crate::Reply,
                ) -> ::core::result::Result<$crate::Outcome, $crate::PluginError> {
                    OPEN.with(|slot| slot.call(|api| $crate::Api::parse(api, reply)))
                }
            }
    $crate::bindings::api::export_api!(Export with_types_in $crate::bindings::api);
        };
    };
    (dataset: $dataset:ty) => {
        const _: () = {
            ::std::thread_local! {
                static OPEN: $crate::Slot<$dataset> = const { $crate::Slot::new() };
            }
            struct Export;
            impl $crate::bindings::dataset::exports::tickrate::plugin::dataset::Guest for Export {
                fn open(config: $crate::RunConfig) -> ::core::result::Result<(), $crate::PluginError> {
                    OPEN.with(|slot| slot.open(|| <$dataset as $crate::Dataset>::open(config)))
                }
                fn next(
                    at_most: u32,
                ) -> ::core::result::Result<::std::vec::Vec<$crate::Conversation>, $crate::PluginError>
                {
                    OPEN.with(|slot| slot.call(|dataset| $crate::Dataset::next(dataset, at_most)))
                }
            }
    $crate::bindings::dataset::export_dataset!(Export with_types_in $crate::bindings::dataset);
        };
    };
}
