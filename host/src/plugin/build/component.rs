//! From a core module to a component of the contract.

use serde::Deserialize;
use wit_component::metadata::Bindgen;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::adapter;
use crate::plugin::wit;

/// What a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum World {
    ApiPlugin,
    DatasetPlugin,
    Plugin,
}

impl World {
    /// Its name in `wit/`.
    pub(super) fn name(self) -> &'static str {
        match self {
            World::ApiPlugin => "api-plugin",
            World::DatasetPlugin => "dataset-plugin",
            World::Plugin => "plugin",
        }
    }
}

/// Whether these are the bytes of a core module, and not of a component.
pub(super) fn is_module(bytes: &[u8]) -> bool {
    bytes.get(6) == Some(&0)
}

/// The component of a core module that carries its world in a custom section, as `wit-bindgen`
/// leaves it there.
pub(super) fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    encode_with(module, None)
}

/// The same, with a module that has the functions of WASI within the component.
fn encode_with(module: &[u8], wasi: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| match wasi {
            Some(wasi) => encoder.adapter(adapter::NAME, wasi),
            None => Ok(encoder),
        })
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("{error:#}"))
}

/// The component of a core module that exports the functions of `world` by the names and in the way
/// of the canonical ABI, and says nothing of it: what a compiler makes of C, C++, Zig or Go. `wasi` is a module
/// that has the functions of WASI.
pub(super) fn encode_as(world: World, mut module: Vec<u8>, wasi: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let mut contract = Bindgen::default().resolve;
    let embedded = contract
        .push_source("wit", &wit::whole())
        .and_then(|package| contract.select_world(&[package], Some(world.name())))
        .and_then(|world| embed_component_metadata(&mut module, &contract, world, StringEncoding::UTF8));
    embedded.map_err(|error| format!("{error:#}"))?;
    encode_with(&module, wasi)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty module.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn what_is_no_module_cannot_become_a_component() {
        assert!(is_module(EMPTY));
        let component = encode(EMPTY).unwrap();
        assert!(!is_module(&component), "an empty module is an empty component");
        assert!(encode(b"hello").is_err());
    }

    #[test]
    fn a_module_that_lacks_an_export_of_its_world_is_told_which() {
        for (world, lacking) in [
            (World::ApiPlugin, "tickrate:plugin/"),
            (World::DatasetPlugin, "tickrate:plugin/"),
            (World::Plugin, "tickrate:plugin/"),
        ] {
            let told = encode_as(world, EMPTY.to_vec(), None).unwrap_err();
            assert!(told.contains(lacking), "{told}");
        }
    }
}
