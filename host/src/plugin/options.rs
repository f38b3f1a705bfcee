//! A plugin's options against the schema that it publishes.

use serde_json::{Map, Value};

use super::error::one_line;
use super::{PluginError, PluginInfo, Role};

/// Checks `options` for the use of the plugin as `role`.
pub(super) fn check(info: &PluginInfo, role: Role, options: &Map<String, Value>) -> Result<(), PluginError> {
    let plugin = || info.name.clone();
    let Some((_, schema)) = info.schemas.iter().find(|(one, _)| *one == role) else {
        let offered = if role == Role::Api { Role::Dataset } else { Role::Api };
        return Err(PluginError::Role { plugin: plugin(), asked: role, offered });
    };
    let bad = |reason: String| PluginError::Schema { plugin: plugin(), reason: one_line(&reason) };
    let schema: Value = serde_json::from_str(schema).map_err(|error| bad(error.to_string()))?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| bad(error.to_string()))?;
    let options = Value::Object(options.clone());
    let problems: Vec<String> = validator
        .iter_errors(&options)
        .map(|error| {
            let place = error.instance_path().to_string();
            let text = one_line(&error.to_string());
            if place.is_empty() { text } else { format!("at {place:?}: {text}") }
        })
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(PluginError::Options { plugin: plugin(), role, problems: problems.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(schema: &str, options: Value) -> String {
        let info = PluginInfo {
            name: "p".into(),
            version: "1".into(),
            schemas: vec![(Role::Dataset, schema.into())],
        };
        match check(&info, Role::Dataset, options.as_object().unwrap()) {
            Ok(()) => "ok".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_places() {
        let schema = r#"{"type": "object", "properties": {"turns": {"type": "integer", "minimum": 1}},
                         "additionalProperties": false}"#;
        assert_eq!(told(schema, serde_json::json!({"turns": 2})), "ok");
        let text = told(schema, serde_json::json!({"turns": "many", "x": 1}));
        assert_eq!(
            text,
            "the plugin \"p\" does not accept --dataset-args: at \"/turns\": \"many\" is not of type \
             \"integer\"; Additional properties are not allowed ('x' was unexpected); correct the options"
        );
    }

    #[test]
    fn the_empty_schema_accepts_anything_and_a_broken_one_is_the_plugins_fault() {
        assert_eq!(told("{}", serde_json::json!({"a": [1]})), "ok");
        assert!(
            told("", serde_json::json!({})).starts_with("the options schema of the plugin \"p\" is no JSON")
        );
        assert!(told(r#"{"type": 7}"#, serde_json::json!({})).contains("is no JSON schema"));
    }

    #[test]
    fn a_plugin_is_not_used_for_what_it_is_not() {
        let info =
            PluginInfo { name: "p".into(), version: "1".into(), schemas: vec![(Role::Dataset, "{}".into())] };
        assert_eq!(
            check(&info, Role::Api, &Map::new()).unwrap_err().to_string(),
            "the plugin \"p\" is no api, only dataset; use it with --dataset"
        );
    }
}
