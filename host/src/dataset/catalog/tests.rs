use super::*;

#[test]
fn the_table_is_sorted_and_every_default_is_json() {
    assert!(BUILT_IN.is_sorted_by_key(|entry| entry.name));
    for option in BUILT_IN.iter().flat_map(|entry| entry.options) {
        let default = option.default;
        assert!(default.is_empty() || serde_json::from_str::<Value>(default).is_ok(), "{default}");
    }
}

/// The schema and the reader of the options agree: both know the same names, and the defaults
/// that the schema shows satisfy it.
#[test]
fn schemas_are_what_the_datasets_read() {
    for entry in BUILT_IN {
        let schema = schema(entry);
        let validator = jsonschema::validator_for(&schema).unwrap();
        for option in entry.options {
            let example = match option.kind {
                _ if !option.default.is_empty() => serde_json::from_str(option.default).unwrap(),
                Kind::Count => Value::from(5),
                _ => Value::from("text"),
            };
            let options = Map::from_iter([(option.name.to_string(), example)]);
            assert!(validator.is_valid(&Value::Object(options.clone())), "{} {}", entry.name, option.name);
            let spec = DatasetSpec { name: entry.name.into(), options, ..DatasetSpec::default() };
            let told = (entry.open)(&spec, None).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!told.contains("does not take these"), "{told}");
        }
        assert!(!validator.is_valid(&json!({ "colour": "red" })), "{}", entry.name);
        let options = Map::from_iter([("colour".to_string(), "red".into())]);
        let spec = DatasetSpec { name: entry.name.into(), options, ..DatasetSpec::default() };
        let told = (entry.open)(&spec, None).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("unknown field `colour`"), "{}: {told}", entry.name);
    }
}
