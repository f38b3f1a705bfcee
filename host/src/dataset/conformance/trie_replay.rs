//! `test_trie_replay.py`: agents' conversations from lengths.

use serde_json::json;

use super::*;

fn tokenizer() -> Option<Arc<Tokenizer>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer");
    Some(Arc::new(Tokenizer::open(path).unwrap()))
}

fn trace(num_turns: usize) -> Value {
    json!({
        "input_prompt_length": 64,
        "num_turns": num_turns,
        "assistant_response_length": vec![16; num_turns],
        "tool_call_output_length": vec![32; num_turns],
        "tool_call_latency": vec![0.05; num_turns],
        "final_assistant_response_length": 16,
    })
}

fn replay(traces: &[Value]) -> Vec<Conversation> {
    let text: String = traces.iter().map(|trace| format!("{trace}\n")).collect();
    let files = Files::new();
    let spec = files.spec("trie_agentic_coding", &text, json!({}));
    all(&DatasetSpec { multi_turn: true, ..spec }, tokenizer()).unwrap()
}

#[test]
fn there_is_a_turn_more_than_calls_of_tools() {
    let got = replay(&[trace(3), trace(3), trace(3)]);
    assert_eq!(got.iter().map(|one| one.turns.len()).collect::<Vec<_>>(), [4, 4, 4]);
}

#[test]
fn replies_are_as_long_as_recorded_and_tools_take_their_time() {
    let mut one = trace(3);
    one["assistant_response_length"] = json!([10, 20, 30]);
    one["final_assistant_response_length"] = json!(70);
    one["tool_call_latency"] = json!([0.1, 0.2, 0.3]);
    let turns = replay(&[one])[0].turns.clone();
    let max_tokens: Vec<u32> = turns.iter().filter_map(|turn| turn.max_tokens).collect();
    assert_eq!(max_tokens, [10, 20, 30, 70]);
    let waits: Vec<Option<f64>> = turns.iter().map(|turn| turn.think_time_ms).collect();
    assert_eq!(waits, [None, Some(100.0), Some(200.0), Some(300.0)]);
}

#[test]
fn texts_have_the_recorded_lengths() {
    let turns = replay(&[trace(2)])[0].turns.clone();
    let tokenizer = tokenizer().unwrap();
    let lengths: Vec<usize> = turns
        .iter()
        .map(|turn| match &turn.prompt {
            Prompt::Chat(messages) => tokenizer.count(&role_and_text(&messages[0]).1).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lengths, [64, 32, 32]);
}

#[test]
fn a_trace_without_tools_is_one_turn() {
    let mut one = trace(0);
    one["final_assistant_response_length"] = json!(70);
    let turns = replay(&[one])[0].turns.clone();
    assert_eq!((turns.len(), turns[0].max_tokens, turns[0].think_time_ms), (1, Some(70), None));
}

#[test]
fn a_trace_whose_lengths_do_not_match_is_left_out_with_a_note() {
    let mut bad = trace(3);
    bad["assistant_response_length"] = json!([10, 20]);
    assert_eq!(replay(&[bad.clone(), trace(1)]).len(), 1);
    let files = Files::new();
    let spec = files.spec("trie_code_qa", &format!("{bad}\n{}\n", trace(1)), json!({}));
    let spec = DatasetSpec { multi_turn: true, ..spec };
    let notes = open(&spec, &RunConfig::default(), tokenizer()).unwrap().facts().notes;
    assert!(notes[0].starts_with("1 of 2 records of the dataset are left out; line 1 "), "{notes:?}");
    let told =
        told(&DatasetSpec { path: Some(files.write("b.jsonl", &bad.to_string())), ..spec }, tokenizer());
    assert!(told.contains("trace length mismatch"), "{told}");
}

#[test]
fn the_three_of_them_have_files_of_their_own() {
    let files: std::collections::HashSet<&str> = ["trie_agentic_coding", "trie_code_qa", "trie_office_work"]
        .into_iter()
        .map(|name| describe(name).unwrap().place.unwrap().file)
        .collect();
    assert_eq!(files.len(), 3);
}
