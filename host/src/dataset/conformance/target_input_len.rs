//! `test_target_input_len.py`, and what `test_dataset_args.py` says of these options.

use serde_json::json;

use super::*;

fn lines(lines: &str, options: Value) -> Vec<String> {
    let files = Files::new();
    let spec = files.spec("line_by_line", lines, options);
    let conversations = all(&spec, characters()).unwrap();
    conversations.iter().map(|one| said(one)[0].1.clone()).collect()
}

#[test]
fn longer_prompts_are_cut_and_shorter_ones_stay_or_go() {
    let two = "abcdefghij\nabc\n";
    assert_eq!(lines(two, json!({ "target_input_len": 5 })), ["abcde", "abc"]);
    assert_eq!(lines(two, json!({ "target_input_len": 5, "input_len_mode": "cap" })), ["abcde", "abc"]);
    assert_eq!(lines(two, json!({ "target_input_len": 5, "input_len_mode": "drop" })), ["abcde"]);
    assert_eq!(lines(two, json!({})), ["abcdefghij", "abc"]);
    let exact = json!({ "target_input_len": 3, "input_len_mode": "drop" });
    assert_eq!(lines("abc\nab\n", exact), ["abc"]);
}

#[test]
fn the_usual_bounds_do_not_count_beside_a_target() {
    let files = Files::new();
    let mut spec = files.spec("line_by_line", "abcdefghij", json!({ "target_input_len": 5 }));
    (spec.min_prompt_length, spec.max_prompt_length) = (7, 8);
    assert_eq!(all(&spec, characters()).unwrap().len(), 1);
}

#[test]
fn openqa_longalpaca_and_share_gpt_take_the_target_too() {
    let files = Files::new();
    let five = json!({ "target_input_len": 5 });
    let spec = files.spec("openqa", r#"{"question": "  abcdefghij "}"#, five.clone());
    assert_eq!(said(&all(&spec, characters()).unwrap()[0])[0].1, "abcde");
    let spec = files.spec("longalpaca", r#"{"instruction": "abcdefghij", "output": "x"}"#, five.clone());
    assert_eq!(said(&all(&spec, characters()).unwrap()[0])[0].1, "abcde");
    // Without a prefix it is the last turn alone that is cut.
    let line = r#"{"conversation": [{"human": "abcdefgh", "assistant": "yo"}, {"human": "abcdefghij", "assistant": "x"}]}"#;
    let spec = files.spec("share_gpt_zh", line, five);
    let said = said(&all(&spec, characters()).unwrap()[0]);
    assert_eq!(roles(&said), ["user", "assistant", "user"]);
    assert_eq!((said[0].1.as_str(), said[2].1.as_str()), ("abcdefgh", "abcde"));
}

#[test]
fn when_nothing_is_long_enough_it_is_said() {
    let files = Files::new();
    let options = json!({ "target_input_len": 50, "input_len_mode": "drop" });
    let told = told(&files.spec("openqa", r#"{"question": "abc"}"#, options), characters());
    assert!(
        told.contains("the lengths of all 1 records that it has are not what target_input_len"),
        "{told}"
    );
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let files = Files::new();
    let say = |options: Value, tokenizer| told(&files.spec("line_by_line", "abc", options), tokenizer);
    for (options, expected) in [
        (json!({ "target_input_len": 0 }), "target_input_len must be > 0, got 0"),
        (json!({ "target_input_len": -3 }), "target_input_len must be > 0, got -3"),
        (json!({ "target_input_len": 5, "input_len_mode": "pad" }), "unknown variant `pad`"),
        (json!({ "target_input_len": "5" }), "expected i64"),
        (json!({ "target_len": 5 }), "unknown field `target_len`"),
        (json!({ "input_len_mode": "drop" }), "`input_len_mode` requires `target_input_len` to be set"),
        (json!({ "target_input_len": 5, "prefix_role": "user" }), "requires `prefix_file` to be set"),
    ] {
        let got = say(options, characters());
        assert!(got.contains(expected) && got.contains("--dataset-args"), "{got}");
    }
    let got = say(json!({ "target_input_len": 5 }), None);
    assert!(got.contains("`target_input_len` requires a tokenizer; please set --tokenizer-path"), "{got}");
}
