use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::contract::RunConfig;

fn tokenizer() -> Arc<Tokenizer> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer");
    Arc::new(Tokenizer::open(path).unwrap())
}

fn spec(min: usize, max: usize) -> DatasetSpec {
    DatasetSpec {
        name: "random".into(),
        min_prompt_length: min,
        max_prompt_length: max,
        ..DatasetSpec::default()
    }
}

fn all(mut spec: DatasetSpec) -> DatasetSpec {
    spec.options.insert("vocabulary".into(), "all".into());
    spec
}

fn draw(spec: &DatasetSpec, count: usize) -> Vec<Conversation> {
    super::super::open(spec, &RunConfig::default(), Some(tokenizer())).unwrap().next(count).unwrap()
}

fn lengths(conversations: &[Conversation]) -> Vec<usize> {
    lengths_by(&tokenizer(), conversations)
}

fn lengths_by(tokenizer: &Tokenizer, conversations: &[Conversation]) -> Vec<usize> {
    let length = |conversation: &Conversation| match &conversation.turns[0].prompt {
        Prompt::Text(text) => tokenizer.count(text).unwrap(),
        Prompt::Chat(messages) => tokenizer.count_chat(messages).unwrap(),
        Prompt::Tokens(ids) => ids.len(),
        Prompt::Body(_) => 0,
    };
    conversations.iter().map(length).collect()
}

#[test]
fn prompts_have_exactly_the_length_asked_for() {
    for spec in [spec(100, 100), all(spec(100, 100))] {
        for (chat, ids) in [(false, false), (true, false), (false, true), (true, true)] {
            let spec = DatasetSpec { apply_chat_template: chat, tokenize_prompt: ids, ..spec.clone() };
            assert_eq!(lengths(&draw(&spec, 70)), vec![100; 70], "{spec:?}");
        }
    }
}

#[test]
fn lengths_fill_the_bounds_and_no_two_prompts_are_alike() {
    let conversations = draw(&spec(20, 23), 400);
    let lengths: HashSet<usize> = lengths(&conversations).into_iter().collect();
    assert_eq!(lengths, HashSet::from([20, 21, 22, 23]));
    let different: HashSet<String> = conversations.iter().map(|one| format!("{one:?}")).collect();
    assert_eq!(different.len(), 400);
    // Two words are a few more than a thousand different prompts, and all of them come.
    let short: HashSet<String> = draw(&spec(2, 2), 1000).iter().map(|one| format!("{one:?}")).collect();
    assert_eq!(short.len(), 1000);
}

#[test]
fn the_prefix_is_shared_and_comes_on_top_of_the_length() {
    for spec in [spec(30, 30), all(spec(30, 30))] {
        let spec = DatasetSpec { prefix_length: 50, ..spec };
        let conversations = draw(&spec, 20);
        assert_eq!(lengths(&conversations), vec![80; 20]);
        let texts: Vec<&str> = conversations
            .iter()
            .map(|one| match &one.turns[0].prompt {
                Prompt::Text(text) => text.as_str(),
                _ => "",
            })
            .collect();
        let shared = texts[0].bytes().zip(texts[1].bytes()).take_while(|(a, b)| a == b).count();
        let shared = &texts[0].as_bytes()[..shared];
        assert!(shared.len() >= 50 && texts.iter().all(|text| text.as_bytes().starts_with(&shared[..50])));
    }
    let ids = DatasetSpec { prefix_length: 50, tokenize_prompt: true, ..spec(30, 30) };
    let Prompt::Tokens(a) = draw(&ids, 2)[0].turns[0].prompt.clone() else { panic!() };
    let Prompt::Tokens(b) = draw(&ids, 2)[1].turns[0].prompt.clone() else { panic!() };
    assert!(a[..50] == b[..50] && a[50..] != b[50..] && a.len() == 80);
}

#[test]
fn the_seed_decides_everything_and_batches_nothing() {
    for spec in [spec(10, 40), all(spec(10, 40))] {
        let once = draw(&spec, 30);
        let mut dataset = super::super::open(&spec, &RunConfig::default(), Some(tokenizer())).unwrap();
        let mut pieces = dataset.next(7).unwrap();
        pieces.extend(dataset.next(23).unwrap());
        assert_eq!(pieces, once);
        dataset.rewind().unwrap();
        assert_eq!(dataset.next(30).unwrap(), once);
        assert_ne!(draw(&DatasetSpec { seed: 1, ..spec }, 30), once);
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let say = |spec: &DatasetSpec, tokenizer| {
        super::super::open(spec, &RunConfig::default(), tokenizer).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(say(&spec(1, 2), None), "the dataset \"random\" needs a tokenizer; pass --tokenizer-path");
    assert!(say(&spec(3, 2), Some(tokenizer())).contains("--min-prompt-length 3 is more than"));
    let chat = DatasetSpec { apply_chat_template: true, ..spec(1, 5) };
    assert!(say(&chat, Some(tokenizer())).contains("leaves no room for a text"));
    assert!(say(&spec(0, 0), Some(tokenizer())).ends_with("raise it"));
}

#[test]
fn a_thousand_tokens_are_made_fast() {
    for (name, spec) in [
        ("words", spec(1024, 1024)),
        ("words, chat", DatasetSpec { apply_chat_template: true, ..spec(1024, 1024) }),
        ("ids", DatasetSpec { tokenize_prompt: true, ..spec(1024, 1024) }),
        ("all", all(spec(1024, 1024))),
    ] {
        let mut dataset = super::super::open(&spec, &RunConfig::default(), Some(tokenizer())).unwrap();
        let start = std::time::Instant::now();
        dataset.next(500).unwrap();
        println!(
            "random, {name}: {:.0} prompts of 1024 tokens per second",
            500.0 / start.elapsed().as_secs_f64()
        );
    }
}

#[test]
fn without_words_a_text_is_corrected_or_says_what_it_is_off_by() {
    // Neighbours merge in it, and it has too few words to put texts together from.
    let json = r#"{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}}"#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json).unwrap();
    let tokenizer = Arc::new(Tokenizer::open(file.path()).unwrap());
    for spec in [spec(40, 40), DatasetSpec { prefix_length: 10, ..spec(40, 40) }] {
        let mut dataset = super::super::open(&spec, &RunConfig::default(), Some(tokenizer.clone())).unwrap();
        let conversations = dataset.next(50).unwrap();
        let lengths = lengths_by(&tokenizer, &conversations);
        assert!(lengths.iter().filter(|&&length| length == 40 + spec.prefix_length).count() > 25);
        for (conversation, length) in conversations.iter().zip(lengths) {
            let said = conversation.labels.first().map_or(0, |(_, off_by)| off_by.parse::<i64>().unwrap());
            assert_eq!(length as i64 - (40 + spec.prefix_length) as i64, said);
        }
    }
}

/// `TICKRATE_TEST_TOKENIZER=folder cargo test -- --ignored --nocapture a_real_tokenizer`
#[test]
#[ignore = "needs a tokenizer that is too large to keep here"]
fn a_real_tokenizer_is_as_exact_and_as_fast() {
    let Some(path) = std::env::var_os("TICKRATE_TEST_TOKENIZER") else { return };
    let tokenizer = Arc::new(Tokenizer::open(path).unwrap());
    let chat = DatasetSpec { apply_chat_template: tokenizer.has_chat_template(), ..spec(1024, 1024) };
    for (name, count, spec) in [
        ("words", 4000, spec(1024, 1024)),
        ("words, chat", 4000, DatasetSpec { prefix_length: 64, ..chat.clone() }),
        ("all", 100, all(spec(1024, 1024))),
        ("all, chat", 100, all(DatasetSpec { prefix_length: 64, ..chat })),
    ] {
        let start = std::time::Instant::now();
        let mut dataset = super::super::open(&spec, &RunConfig::default(), Some(tokenizer.clone())).unwrap();
        let opened = start.elapsed().as_secs_f64();
        let start = std::time::Instant::now();
        let conversations = dataset.next(count).unwrap();
        let rate = count as f64 / start.elapsed().as_secs_f64();
        let inexact = lengths_by(&tokenizer, &conversations[..100]);
        let inexact = inexact.iter().filter(|length| **length != 1024 + spec.prefix_length).count();
        println!("{name}: opened in {opened:.2} s, {rate:.0} prompts per second, {inexact} % inexact");
        assert_eq!(inexact, 0, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// With and without the template and a prefix, by words and from the whole vocabulary.
    #[test]
    fn any_length_is_exact(
        length in 60_usize..200,
        prefix in 0_usize..40,
        seed in any::<u64>(),
        chat in any::<bool>(),
        whole in any::<bool>(),
    ) {
        let spec = DatasetSpec {
            prefix_length: prefix, seed, apply_chat_template: chat, ..spec(length, length)
        };
        let conversations = draw(&if whole { all(spec) } else { spec }, 4);
        prop_assert_eq!(lengths(&conversations), vec![length + prefix; 4]);
        prop_assert!(conversations.iter().all(|one| one.labels.is_empty()));
    }
}
