//! The datasets that make their texts up: how long they are, that no two are alike, and that they are
//! the same for the same seed whoever draws them, and in whatever portions.

use std::collections::HashSet;

use super::*;

fn made(name: &str) -> DatasetSpec {
    DatasetSpec {
        name: name.into(),
        min_prompt_length: 40,
        max_prompt_length: 60,
        apply_chat_template: true,
        ..DatasetSpec::default()
    }
}

fn draw(spec: &DatasetSpec, count: usize) -> Vec<Conversation> {
    open(spec, &RunConfig::default(), tokenizer()).unwrap().next(count).unwrap()
}

fn body(prompt: &Prompt) -> serde_json::Value {
    let Prompt::Body(body) = prompt else { panic!("{prompt:?}") };
    serde_json::from_slice(body).unwrap()
}

fn count(text: &serde_json::Value) -> usize {
    tokenizer().unwrap().count(text.as_str().unwrap()).unwrap()
}

fn everything() -> Vec<DatasetSpec> {
    let mut out: Vec<DatasetSpec> =
        ["random", "random_embedding", "random_embedding_batch", "random_rerank", "random_vl"]
            .map(made)
            .into();
    out.push(conversations());
    out.push(DatasetSpec { path: Some(data("mooncake.jsonl")), ..made("mooncake_trace") });
    out.push(DatasetSpec { path: Some(data("azure.csv")), ..made("azure_trace") });
    let trie = DatasetSpec { path: Some(data("trie.jsonl")), multi_turn: true, ..made("trie_code_qa") };
    out.push(trie);
    out
}

fn conversations() -> DatasetSpec {
    DatasetSpec { multi_turn: true, min_turns: 2, max_turns: Some(4), ..made("random_multi_turn") }
}

#[test]
fn the_seed_decides_everything_and_portions_nothing() {
    for spec in everything() {
        let once = draw(&spec, 12);
        let mut dataset = open(&spec, &RunConfig::default(), tokenizer()).unwrap();
        let mut pieces = dataset.next(1).unwrap();
        pieces.extend(dataset.next(11).unwrap());
        assert_eq!(pieces, once, "{}", spec.name);
        dataset.rewind().unwrap();
        assert_eq!(dataset.next(12).unwrap(), once, "{}", spec.name);
        let other = DatasetSpec { seed: 7, ..spec.clone() };
        assert_ne!(draw(&other, 12), once, "{}", spec.name);
    }
}

#[test]
fn an_offset_of_random_items_is_a_later_beginning() {
    for name in ["random", "random_embedding", "random_rerank"] {
        let later = DatasetSpec { dataset_offset: 5, ..made(name) };
        assert_eq!(draw(&later, 3), draw(&made(name), 8)[5..], "{name}");
    }
}

#[test]
fn conversations_have_as_many_turns_as_asked_for_and_each_its_length() {
    let got = draw(&conversations(), 60);
    let numbers: HashSet<usize> = got.iter().map(|one| one.turns.len()).collect();
    assert_eq!(numbers, HashSet::from([2, 3, 4]));
    let mut texts = HashSet::new();
    for turn in got.iter().flat_map(|one| &one.turns) {
        let Prompt::Chat(messages) = &turn.prompt else { panic!() };
        let text = messages::text(&messages[0]);
        assert!((40..=60).contains(&tokenizer().unwrap().count(&text).unwrap()));
        assert!(texts.insert(text), "two turns are alike");
    }
    let endless = DatasetSpec { max_turns: None, ..conversations() };
    let told = prompts(&endless, tokenizer()).unwrap_err().to_string();
    assert!(told.starts_with("random_multi_turn requires --max-turns to be set"), "{told}");
}

#[test]
fn texts_to_embed_have_no_template_and_batches_hold_several() {
    for conversation in draw(&made("random_embedding"), 20) {
        let Prompt::Text(text) = prompt_of(conversation) else { panic!() };
        assert!((40..=60).contains(&tokenizer().unwrap().count(&text).unwrap()));
    }
    let mut spec = made("random_embedding_batch");
    spec.options.insert("batch_size".into(), 3.into());
    let batch = body(&draw(&spec, 2)[1].turns[0].prompt);
    assert_eq!(batch["input"].as_array().unwrap().len(), 3);
    assert!((40..=60).contains(&count(&batch["input"][2])));
    let ids = DatasetSpec { tokenize_prompt: true, ..spec };
    assert!(body(&draw(&ids, 1)[0].turns[0].prompt)["input"][0][0].is_u64());
}

#[test]
fn documents_are_longer_than_their_query_by_the_ratio() {
    let mut spec = made("random_rerank");
    spec.min_prompt_length = 60;
    spec.options.insert("num_documents".into(), 4.into());
    spec.options.insert("document_length_ratio".into(), 2.5.into());
    let got = body(&draw(&spec, 1)[0].turns[0].prompt);
    assert_eq!(count(&got["query"]), 60);
    let documents = got["documents"].as_array().unwrap();
    assert_eq!(documents.iter().map(count).collect::<Vec<_>>(), [150; 4]);
    assert_eq!(documents.iter().map(ToString::to_string).collect::<HashSet<_>>().len(), 4);
    for (name, value) in [("num_documents", 0.0), ("document_length_ratio", -1.0)] {
        let mut bad = spec.clone();
        bad.options.insert(name.into(), if value == 0.0 { 0.into() } else { value.into() });
        assert!(prompts(&bad, tokenizer()).unwrap_err().to_string().contains(name));
    }
}

#[test]
fn pictures_go_with_random_texts() {
    let images = ImageSpec { width: 32, height: 16, num: 2, ..ImageSpec::default() };
    let spec = DatasetSpec { images, ..made("random_vl") };
    let mut seen = HashSet::new();
    for conversation in draw(&spec, 10) {
        let Prompt::Chat(messages) = prompt_of(conversation) else { panic!() };
        let [Part::Text(_), Part::Image(a), Part::Image(b)] = &messages[0].content[..] else { panic!() };
        assert_eq!(dimensions(a), Some((32, 16)));
        assert!(seen.insert(a.data.clone()) && seen.insert(b.data.clone()));
    }
    let say = |spec: &DatasetSpec| prompts(spec, tokenizer()).unwrap_err().to_string();
    let ids = DatasetSpec { tokenize_prompt: true, ..spec.clone() };
    assert!(say(&ids).starts_with("--tokenize-prompt is not supported with the random_vl dataset"));
    let plain = DatasetSpec { apply_chat_template: false, ..spec };
    assert!(say(&plain).contains("only chats can hold"));
}

#[test]
fn what_needs_a_tokenizer_says_so() {
    for spec in everything() {
        let told = error(&spec);
        assert!(told.ends_with("needs a tokenizer; pass --tokenizer-path"), "{told}");
    }
}

fn tokens_of(conversation: &Conversation) -> usize {
    match &conversation.turns[0].prompt {
        Prompt::Chat(messages) => tokenizer().unwrap().count_chat(messages).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mooncakes_requests_share_what_their_hashes_share() {
    let mut spec = DatasetSpec { path: Some(data("mooncake.jsonl")), ..made("mooncake_trace") };
    spec.options.insert("block_size".into(), 8.into());
    spec.options.insert("speed".into(), 2.0.into());
    let got = draw(&spec, 10);
    assert_eq!(got.iter().map(tokens_of).collect::<Vec<_>>(), [60, 56, 45]);
    assert_eq!(got.iter().map(|one| one.arrival_ms.unwrap()).collect::<Vec<_>>(), [0.0, 50.0, 125.0]);
    assert_eq!(got.iter().map(|one| one.turns[0].max_tokens.unwrap()).collect::<Vec<_>>(), [5, 7, 3]);
    assert!(got.iter().all(|one| one.labels.len() == 1), "all are exact");
    let words = |one: &Conversation| match &one.turns[0].prompt {
        Prompt::Chat(messages) => {
            messages::text(&messages[0]).split(' ').map(str::to_string).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let (a, b) = (words(&got[0]), words(&got[1]));
    let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    assert!((16..20).contains(&shared), "{shared} words of two blocks of 8 are shared");
}

#[test]
fn azures_requests_have_their_moments_and_lengths() {
    let spec = DatasetSpec { path: Some(data("azure.csv")), ..made("azure_trace") };
    let got = draw(&spec, 10);
    assert_eq!(got.iter().map(tokens_of).collect::<Vec<_>>(), [37, 45, 40]);
    let arrivals: Vec<f64> = got.iter().map(|one| one.arrival_ms.unwrap().round()).collect();
    assert_eq!(arrivals, [0.0, 300.0, 500.0]);
    let (_folder, bad) =
        over("azure_trace", b"TIMESTAMP,ContextTokens,GeneratedTokens\nx,1,2\n2023-11-16 18:15:46,-1,2\n");
    let path = bad.path.unwrap().with_extension("csv");
    std::fs::write(&path, b"TIMESTAMP,ContextTokens,GeneratedTokens\nx,1,2\n2023-11-16 18:15:46,-1,2\n")
        .unwrap();
    let told = prompts(&DatasetSpec { path: Some(path), ..made("azure_trace") }, tokenizer())
        .unwrap_err()
        .to_string();
    assert!(told.contains("(2 error(s))") && told.contains("row 1: cannot parse timestamp"), "{told}");
    assert!(told.contains("row 2: ContextTokens must be a whole number"), "{told}");
}

/// A trace of many lines is checked and sent without being held: what is kept grows by the eight
/// bytes of a moment.
#[test]
fn a_long_trace_streams() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let lines = 200_000_u64;
    for number in 0..lines {
        let late = if number % 10 == 3 { 5 } else { 0 };
        writeln!(file, "{{\"timestamp\": {}, \"body\": {{\"n\": {number}}}}}", number - late.min(number))
            .unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let spec = DatasetSpec { name: "workload_trace".into(), path: Some(path), ..DatasetSpec::default() };
    let mut dataset = open(&spec, &RunConfig::default(), None).unwrap();
    assert_eq!(dataset.facts().conversations, Some(lines));
    let (mut total, mut last) = (0, 0.0);
    loop {
        let batch = dataset.next(1000).unwrap();
        if batch.is_empty() {
            break;
        }
        total += batch.len() as u64;
        for conversation in batch {
            let at = conversation.arrival_ms.unwrap();
            assert!(at >= last);
            last = at;
        }
    }
    assert_eq!(total, lines);
}
