//! What a file is: whether it is a component, which version of the contract it speaks, what it
//! exports and imports, and who it says it is.

use std::path::Path;
use std::sync::Arc;

use super::compiled::{self, Compiled};
use super::error::{PluginError, in_words, one_line};
use super::files::Files;
use super::log_rate::LogRate;
use super::refusals::Refusals;
use super::sandbox::Seed;
use super::v0_1::{self, InfoInstance, Opening, Roles};
use super::{Plugin, Role, Runtime, Services};
use crate::contract::RunConfig;

/// The name of the contract's package, as it stands before an interface's name.
const PACKAGE: &str = "tickrate:plugin/";

/// Opens the component at `path`; see [`Plugin::open`].
pub(super) fn open(runtime: &Runtime, path: &Path) -> Result<Plugin, PluginError> {
    let shown = path.display().to_string();
    let Compiled { component, sha256, bytes } =
        compiled::open(&runtime.engine, runtime.cache.as_deref(), path)?;
    let types = component.component_type();
    let names = |list: &mut dyn Iterator<Item = &str>| list.map(str::to_owned).collect::<Vec<_>>();
    let mut exports = names(&mut types.exports(&runtime.engine).map(|(name, _)| name));
    exports.sort_unstable();
    let imports = names(&mut types.imports(&runtime.engine).map(|(name, _)| name));
    let contract = contract(&shown, &exports, &imports)?;

    let link = |error: wasmtime::Error| PluginError::Link {
        path: shown.clone(),
        reason: one_line(&error.root_cause().to_string()),
    };
    let pre = runtime.linker.instantiate_pre(&component).map_err(|error| foreign(&shown, &error))?;
    let roles = Roles::of(&pre)
        .ok_or_else(|| PluginError::Exports { path: shown.clone(), found: in_words(&exports) })?;
    let list: Vec<Role> =
        [roles.dataset.is_some().then_some(Role::Dataset), roles.api.is_some().then_some(Role::Api)]
            .into_iter()
            .flatten()
            .collect();

    let file = path.file_stem().map_or_else(|| shown.clone(), |stem| stem.to_string_lossy().into_owned());
    let seed = Seed {
        plugin: file.as_str().into(),
        memory: runtime.limits.memory,
        seed: 0,
        services: Services::none(),
        files: Arc::new(Files::default()),
        wasi_files: false,
        granted: Arc::default(),
        refusals: Refusals::default(),
        log_rate: LogRate::default(),
    };
    let Runtime { epochs, limits, .. } = runtime;
    let opening = Opening { pre: &pre, epochs, limits, seed: &seed, config: &RunConfig::default() };
    let info = InfoInstance::new(&opening, &roles)?.ask(&list)?;
    InfoInstance::check(&opening, &roles)?.map_err(link)?;
    Ok(Plugin {
        runtime: runtime.clone(),
        path: path.to_owned(),
        sha256,
        bytes,
        contract,
        exports,
        imports,
        info,
        roles,
        pre,
    })
}

/// The version of the contract in the names of what the component exports or imports.
fn contract(path: &str, exports: &[String], imports: &[String]) -> Result<String, PluginError> {
    let version = |name: &String| {
        let (_, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
        Some(version.to_owned())
    };
    let spoken = |version: &str| version.starts_with("0.1.") && !version.contains('-');
    let mut found = exports.iter().chain(imports).filter_map(version);
    let Some(first) = found.next() else {
        return Err(PluginError::Exports { path: path.into(), found: in_words(exports) });
    };
    match std::iter::once(first.clone()).chain(found).find(|version| !spoken(version)) {
        None => Ok(first),
        Some(found) => Err(PluginError::ContractVersion { path: path.into(), found, spoken: v0_1::VERSION }),
    }
}

/// Says which import is not there, or does not fit.
fn foreign(path: &str, error: &wasmtime::Error) -> PluginError {
    let text = format!("{error:#}");
    // wasmtime names the import between backticks.
    let import = text.split('`').nth(1).filter(|name| name.contains(':'));
    let reason = match import {
        Some(name) if text.contains("not found") && name.starts_with(PACKAGE) => {
            format!("it imports \"{name}\", which this tickrate does not have")
        }
        Some(name) if text.contains("not found") => {
            format!("it imports \"{name}\", which a plugin cannot have")
        }
        _ => one_line(&text),
    };
    PluginError::Link { path: path.into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_read_from_the_names_of_exports_and_imports() {
        let names = |list: &[&str]| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let ok = names(&["tickrate:plugin/info@0.1.0", "tickrate:plugin/api@0.1.0"]);
        assert_eq!(contract("x.wasm", &ok, &[]).unwrap(), "0.1.0");
        let new = names(&["tickrate:plugin/info@0.2.0"]);
        assert_eq!(
            contract("x.wasm", &new, &[]).unwrap_err().to_string(),
            "\"x.wasm\" is built for version 0.2.0 of the plugin contract, and this tickrate speaks 0.1.0; \
             build it against that version, or use another tickrate"
        );
        let other = names(&["wasi:cli/run@0.2.0"]);
        let text = contract("x.wasm", &other, &[]).unwrap_err().to_string();
        assert!(
            text.starts_with("\"x.wasm\" exports \"wasi:cli/run@0.2.0\", and a plugin exports"),
            "{text}"
        );
    }
}
