//! `test_dataset_args.py`: which options a dataset has, and what is refused. Where they stand on the
//! command line is in the tests of its flags.

use serde_json::json;

use super::*;

/// The names of a dataset's options, sorted.
fn properties(name: &str) -> Vec<String> {
    let schema = describe(name).unwrap().schema;
    assert_eq!(schema["additionalProperties"], false, "{name}");
    let mut names: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

#[test]
fn each_dataset_has_the_options_that_it_has_there() {
    let text = ["input_len_mode", "prefix_file", "prefix_role", "target_input_len"];
    for name in ["openqa", "longalpaca", "line_by_line", "share_gpt_zh", "share_gpt_en"] {
        assert_eq!(properties(name), text, "{name}");
    }
    let workload = ["match_output_length", "model_mapping", "model_override", "speed"];
    assert_eq!(properties("workload_trace"), workload);
    assert_eq!(properties("swe_smith"), ["chars_per_token", "first_turn_length", "subsequent_turn_length"]);
    for name in ["custom", "custom_multi_turn", "share_gpt_en_multi_turn", "flickr8k", "speed_benchmark"] {
        assert!(properties(name).is_empty(), "{name}");
    }
}

#[test]
fn an_option_of_another_name_or_kind_is_refused() {
    let files = Files::new();
    for (name, options, expected) in [
        ("openqa", json!({ "bogus": 1 }), "unknown field `bogus`"),
        ("openqa", json!({ "input_len_mode": "pad" }), "unknown variant `pad`"),
        ("openqa", json!({ "target_input_len": 0 }), "target_input_len must be > 0, got 0"),
        ("openqa", json!({ "target_input_len": -5 }), "--dataset-args"),
        ("openqa", json!({ "target_input_len": "many" }), "--dataset-args"),
        ("openqa", json!({ "prefix_role": "assistant" }), "unknown variant `assistant`"),
        ("workload_trace", json!({ "speed": 0 }), "speed must be > 0, got 0"),
        ("workload_trace", json!({ "speed": -1.5 }), "speed must be > 0, got -1.5"),
        ("workload_trace", json!({ "match_output_length": "yes" }), "--dataset-args"),
    ] {
        let said = told(&files.spec(name, "{\"question\": \"x\"}\n", options.clone()), characters());
        assert!(said.contains(expected), "{options}: {said}");
    }
}

#[test]
fn a_target_needs_a_tokenizer_and_a_prefix_needs_a_target() {
    let files = Files::new();
    let spec = files.spec("openqa", "{\"question\": \"x\"}\n", json!({ "target_input_len": 4 }));
    assert!(told(&spec, None).contains("`target_input_len` requires a tokenizer"), "{}", told(&spec, None));
    let prefix = files.write("prefix.txt", "PQR").display().to_string();
    let spec = files.spec("openqa", "{\"question\": \"x\"}\n", json!({ "prefix_file": prefix }));
    let said = told(&spec, characters());
    assert!(said.contains("`prefix_file` requires `target_input_len`"), "{said}");
}
