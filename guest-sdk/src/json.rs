//! JSON with `serde_json`, where the feature `json` is on: options, and the shapes that replies have.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Event, Outcome, OutputKind, PluginError, RunConfig};

/// A JSON object.
pub type Object = Map<String, Value>;

impl RunConfig {
    /// The options as a type of your own. tickrate has checked them against the schema by then.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] if they do not fit the type.
    pub fn typed_options<T: DeserializeOwned>(&self) -> Result<T, PluginError> {
        serde_json::from_str(&self.options).map_err(invalid)
    }

    /// The sampling parameters, which go into the request's body in the way the server has it.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] if they are not a JSON object.
    pub fn parameter_object(&self) -> Result<Object, PluginError> {
        serde_json::from_str(&self.parameters).map_err(invalid)
    }
}

fn invalid(error: serde_json::Error) -> PluginError {
    PluginError::InvalidConfig(error.to_string())
}

impl Event<'_> {
    /// The JSON object in the frame; `None` if it is something else.
    pub fn object(&self) -> Option<Object> {
        serde_json::from_slice(self.data()).ok()
    }
}

/// The text in a member of an object; empty if there is none.
///
/// ```
/// let object = tickrate_guest::json::object(r#"{"text": "hi", "tokens": 2, "cached": -1}"#).unwrap();
/// assert_eq!(tickrate_guest::json::text(&object, "text"), "hi");
/// assert_eq!(tickrate_guest::json::count(&object, "tokens"), Some(2));
/// assert_eq!(tickrate_guest::json::count(&object, "cached"), None);
/// ```
pub fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The count in a member of an object; `None` if it is no whole number from 0 on.
pub fn count(object: &Object, name: &str) -> Option<u64> {
    object.get(name).and_then(Value::as_u64)
}

/// The JSON object in a text; `None` if it is something else.
pub fn object(text: &str) -> Option<Object> {
    serde_json::from_str(text).ok()
}

impl Outcome {
    /// Notes the text in a member of the frame's object, with the count in another as its tokens.
    pub fn add_member(
        &mut self,
        event: &Event<'_>,
        kind: OutputKind,
        object: &Object,
        name: &str,
        tokens: &str,
    ) {
        let tokens = count(object, tokens).and_then(|count| u32::try_from(count).ok());
        self.add(event, kind, text(object, name), tokens);
    }
}
