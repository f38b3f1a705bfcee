//! From a core module to a component of the contract.

use serde::Deserialize;
use wit_component::ComponentEncoder;

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
    let encoded =
        ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("{error:#}"))
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
}
