//! The datasets that read files, each on a small file of its own format.

use super::*;

fn multi(name: &str, file: &str) -> DatasetSpec {
    DatasetSpec { multi_turn: true, ..spec(name, file) }
}

fn all(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Vec<Conversation> {
    open(spec, &RunConfig::default(), tokenizer).unwrap().next(100).unwrap()
}

/// Each turn's messages as `role: text`, one string for a turn.
fn turns(conversation: &Conversation) -> Vec<String> {
    let said = |message: &Message| {
        let Part::Text(text) = &message.content[0] else { panic!("{message:?}") };
        format!("{}: {text}", message.role)
    };
    let turn = |prompt: &Prompt| match prompt {
        Prompt::Chat(messages) => messages.iter().map(said).collect::<Vec<_>>().join(" | "),
        other => panic!("{other:?}"),
    };
    conversation.turns.iter().map(|one| turn(&one.prompt)).collect()
}

fn body(prompt: &Prompt) -> serde_json::Value {
    let Prompt::Body(body) = prompt else { panic!("{prompt:?}") };
    serde_json::from_slice(body).unwrap()
}

#[test]
fn longalpaca_reads_instructions_from_a_json_list() {
    let got = prompts(&spec("longalpaca", "longalpaca.json"), None).unwrap();
    assert_eq!(got.len(), 2);
    assert_eq!(got[1], text("Which of the two bridges is older?"));
}

#[test]
fn share_gpt_is_all_that_was_said_or_the_users_part() {
    for name in ["share_gpt_zh", "share_gpt_en"] {
        let got = all(&spec(name, "share_gpt.jsonl"), None);
        let first = "user: Name a river. | assistant: The Elbe. | user: Where does it end?";
        assert_eq!(turns(&got[0]), [first]);
        assert_eq!(turns(&got[1]), ["user: 什么是队列？"]);
        let name = format!("{name}_multi_turn");
        let got = all(&multi(&name, "share_gpt.jsonl"), None);
        assert_eq!(turns(&got[0]), ["user: Name a river.", "user: Where does it end?"]);
        assert_eq!(turns(&got[2]), ["user: One.", "user: Three.", "user: Five."]);
        let two = DatasetSpec { max_turns: Some(2), ..multi(&name, "share_gpt.jsonl") };
        assert_eq!(turns(&all(&two, None)[2]).len(), 2);
        // The bounds are those of the first text of the user.
        let short = DatasetSpec { max_prompt_length: 4, ..multi(&name, "share_gpt.jsonl") };
        assert_eq!(all(&short, None).len(), 1);
    }
}

#[test]
fn custom_conversations_are_cut_at_the_assistants_messages() {
    let spec = multi("custom_multi_turn", "custom_multi_turn.jsonl");
    let got = all(&spec, None);
    assert_eq!(
        turns(&got[0]),
        ["system: Be brief. | user: Hello.", "user: Name a tree. | user: And a bush."]
    );
    assert_eq!(turns(&got[1]), ["user: Only one turn."]);
    assert_eq!(turns(&got[2]), ["user: a", "user: c", "user: e"]);
    let notes = open(&spec, &RunConfig::default(), None).unwrap().facts().notes;
    assert!(notes[0].starts_with("3 of 6 records of the dataset are left out; line 3 of"), "{notes:?}");
    let one = DatasetSpec { max_turns: Some(1), ..spec };
    assert!(all(&one, None).iter().all(|conversation| conversation.turns.len() == 1));
    let (_folder, bad) = over("custom_multi_turn", b"[]\n{}\n");
    assert!(error(&DatasetSpec { multi_turn: true, ..bad }).contains("line 1 of the dataset file"));
}

#[test]
fn conversations_are_asked_for_with_multi_turn_and_nothing_else_is() {
    let told = error(&spec("custom_multi_turn", "custom_multi_turn.jsonl"));
    assert_eq!(
        told,
        "the dataset \"custom_multi_turn\" is of conversations and requires --multi-turn; add it"
    );
    let told = error(&multi("openqa", "openqa.jsonl"));
    assert!(told.contains("leave it out or choose one of: custom_multi_turn, random_multi_turn"), "{told}");
    let few = DatasetSpec {
        min_turns: 3,
        max_turns: Some(2),
        ..multi("share_gpt_en_multi_turn", "share_gpt.jsonl")
    };
    assert_eq!(error(&few), "--max-turns (2) must be >= --min-turns (3); raise it");
    let ids = DatasetSpec { tokenize_prompt: true, ..multi("share_gpt_en_multi_turn", "share_gpt.jsonl") };
    assert!(error(&ids).contains("--tokenize-prompt does not go with the conversations"));
}

#[test]
fn swe_smith_reads_ready_made_conversations() {
    let got = all(&multi("swe_smith", "swe_smith.json"), None);
    assert_eq!(turns(&got[0]), ["user: Fix the parser.", "user: Tests fail: expected 3, got 2."]);
    assert_eq!(turns(&got[1]), ["user: Rename the module. | user: Keep the tests green."]);
}

#[test]
fn swe_smith_deals_trajectories_to_turns() {
    let mut spec = multi("swe_smith", "trajectories.jsonl");
    assert!(error(&spec).contains("needs a tokenizer"));
    let told = prompts(&spec, tokenizer()).unwrap_err().to_string();
    assert!(
        told.contains("none of the 5 trajectories") && told.contains("lower first_turn_length"),
        "{told}"
    );
    spec.options.insert("first_turn_length".into(), 20.into());
    spec.options.insert("subsequent_turn_length".into(), serde_json::json!([5, 9]));
    spec.options.insert("chars_per_token".into(), 1.0.into());
    (spec.min_turns, spec.max_turns) = (2, Some(3));
    let got = all(&spec, tokenizer());
    assert!(!got.is_empty());
    let counter = tokenizer().unwrap();
    for conversation in &got {
        assert!((2..=3).contains(&conversation.turns.len()));
        for (turn, one) in conversation.turns.iter().enumerate() {
            let Prompt::Chat(messages) = &one.prompt else { panic!() };
            let tokens: usize =
                messages.iter().map(|message| counter.count(&messages::text(message)).unwrap()).sum();
            assert!(tokens <= if turn == 0 { 20 } else { 9 } && tokens > 0);
            assert!(messages.iter().all(|message| message.role == "user"));
        }
    }
    assert_eq!(got, all(&spec, tokenizer()));
    assert_ne!(got, all(&DatasetSpec { seed: 9, ..spec.clone() }, tokenizer()));
    spec.options.insert("first_turn_length".into(), serde_json::json!([9, 5]));
    assert!(error(&spec).contains("first_turn_length must be > 0, or a range [min, max]"));
}

#[test]
fn embedding_reads_lines_and_objects() {
    for name in ["embedding", "embed"] {
        let lines = prompts(&spec(name, "embedding.txt"), None).unwrap();
        assert_eq!((lines.len(), &lines[1]), (3, &text("Bread goes stale.")));
    }
    let chat = DatasetSpec { apply_chat_template: true, ..spec("embedding", "embedding.jsonl") };
    let expected = ["a plain string", "from text", "from input", "from sentence", "from content"].map(text);
    assert_eq!(prompts(&chat, None).unwrap(), expected);
    let mut batch = spec("embedding_batch", "embedding.txt");
    batch.options.insert("batch_size".into(), 2.into());
    let got = prompts(&batch, None).unwrap();
    assert_eq!(body(&got[0])["input"].as_array().unwrap().len(), 2);
    assert_eq!(body(&got[1]), serde_json::json!({ "input": ["A queue is first in, first out."] }));
    batch.options.insert("batch_size".into(), 0.into());
    assert!(error(&batch).contains("batch_size must be > 0"));
    // The baseline's users give it in --extra-args.
    let mut config = RunConfig::default();
    config.parameters.insert("batch_size".into(), 3.into());
    let mut dataset = open(&spec("embedding_batch", "embedding.txt"), &config, None).unwrap();
    assert_eq!(dataset.next(5).unwrap().len(), 1);
    let (_folder, bad) = over("embedding", b"{\"a\": 1}");
    assert!(error(&bad).contains("is neither text nor an object with one of \"text\""));
}

#[test]
fn rerank_reads_queries_with_their_documents() {
    let spec = spec("rerank", "rerank.jsonl");
    let got = prompts(&spec, None).unwrap();
    assert_eq!(got.len(), 3);
    assert_eq!(
        body(&got[1]),
        serde_json::json!({ "query": "What is bread?", "documents": ["Baked dough.", { "text": "A river." }] })
    );
    let notes = open(&spec, &RunConfig::default(), None).unwrap().facts().notes;
    assert!(notes[0].starts_with("1 of 4 records"), "{notes:?}");
}

#[test]
fn speed_benchmark_is_built_in() {
    let lengths = |name: &str| {
        let spec = DatasetSpec { name: name.into(), apply_chat_template: true, ..DatasetSpec::default() };
        let of = |prompt: Prompt| match prompt {
            Prompt::Text(text) => text.chars().filter(|c| *c == '熵').count(),
            other => panic!("{other:?}"),
        };
        prompts(&spec, None).unwrap().into_iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(lengths("speed_benchmark"), [1, 1, 6144, 6144, 14336, 14336, 30720, 30720]);
    assert_eq!(lengths("speed_benchmark_long"), [63488, 63488, 129024, 129024]);
}

/// A tar archive of files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[156] = b'0';
        out.extend(header);
        out.extend(*bytes);
        out.resize(out.len().div_ceil(512) * 512, 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

const JPEG: &[u8] = b"\xff\xd8\xff\xe0picture";

fn picture_and_text(prompt: &Prompt) -> (String, String, Vec<u8>) {
    let Prompt::Chat(messages) = prompt else { panic!("{prompt:?}") };
    match &messages[0].content[..] {
        [Part::Text(text), Part::Image(media)] => (text.clone(), media.mime.clone(), media.data.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn flickr8k_reads_the_archives_of_a_web_dataset() {
    let archive = tar(&[("0.jpg", JPEG), ("0.txt", b"A dog runs.\n"), ("1.txt", b""), ("1.jpg", JPEG)]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("test")).unwrap();
    std::fs::write(folder.path().join("test/0.tar"), &archive).unwrap();
    let spec = DatasetSpec {
        name: "flickr8k".into(),
        path: Some(folder.path().into()),
        apply_chat_template: true,
        ..DatasetSpec::default()
    };
    let got = prompts(&spec, None).unwrap();
    assert_eq!(picture_and_text(&got[0]), ("A dog runs.".into(), "image/jpeg".into(), JPEG.to_vec()));
    assert_eq!(picture_and_text(&got[1]).0, "Describe the image");
    let path = folder.path().join("bad.tar");
    let spec = DatasetSpec { path: Some(path.clone()), ..spec };
    for (bytes, expected) in [
        (&archive[..1100], "ends within an entry"),
        (&b"no tar"[..], "ends within an entry"),
        (&[b'x'; 600], "is no tar archive"),
        (b"", "holds no pictures"),
        (&tar(&[("0.jpg", b"text")]), "neither JPEG, PNG, GIF nor WebP"),
        (&tar(&[("a\nb.jpg", b"text")]), r#"holds an item "a\nb" that has"#),
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert!(error(&spec).contains(expected), "{} {expected}", error(&spec));
        assert_eq!(error(&spec).lines().count(), 1);
    }
    let plain = DatasetSpec { apply_chat_template: false, ..spec };
    assert!(error(&plain).contains("sends pictures, which only chats can hold"));
}

#[test]
fn kontext_bench_reads_parquet() {
    use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field};
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![JPEG, JPEG]));
    let image = StructArray::from(vec![(Arc::new(Field::new("bytes", DataType::Binary, true)), bytes)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(image)),
        ("instruction", Arc::new(StringArray::from(vec![Some("Make it night."), None]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let file = std::fs::File::create(folder.path().join("data/test-1.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let spec = DatasetSpec {
        name: "kontext_bench".into(),
        path: Some(folder.path().into()),
        apply_chat_template: true,
        ..DatasetSpec::default()
    };
    let got = prompts(&spec, None).unwrap();
    assert_eq!(picture_and_text(&got[0]), ("Make it night.".into(), "image/jpeg".into(), JPEG.to_vec()));
    assert_eq!(picture_and_text(&got[1]).0, "Describe the image");
    let empty = tempfile::tempdir().unwrap();
    let spec = DatasetSpec { path: Some(empty.path().into()), ..spec };
    assert!(error(&spec).contains("holds neither \"data/test-*.parquet\" nor a Parquet file"));
}

#[test]
fn an_offset_turns_the_order_round() {
    let base = spec("openqa", "openqa.jsonl");
    let plain = prompts(&base, None).unwrap();
    for offset in 0..8 {
        let spec = DatasetSpec { dataset_offset: offset, ..base.clone() };
        let mut dataset = open(&spec, &RunConfig::default(), None).unwrap();
        let mut got = dataset.next(100).unwrap();
        dataset.rewind().unwrap();
        got.extend(dataset.next(100).unwrap());
        let got: Vec<Prompt> = got.into_iter().map(prompt_of).collect();
        let expected: Vec<Prompt> = plain.iter().cycle().skip(offset as usize % 3).take(3).cloned().collect();
        assert_eq!(got[..3], expected, "{offset}");
    }
}

#[test]
fn swe_smith_shuffles_all_of_its_trajectories() {
    let line = |number: usize| {
        let text = format!("trajectory {number} says a few words more than are asked for");
        serde_json::json!({ "messages": [{ "role": "user", "content": text }] }).to_string()
    };
    let lines: Vec<String> = (0..300).map(line).collect();
    let (_folder, spec) = over("swe_smith", lines.join("\n").as_bytes());
    let mut spec = DatasetSpec { multi_turn: true, max_turns: Some(1), ..spec };
    spec.options.insert("first_turn_length".into(), 500.into());
    spec.options.insert("chars_per_token".into(), 0.01.into());
    let numbers = |spec: &DatasetSpec| -> Vec<usize> {
        let read =
            |one: &crate::contract::Conversation| turns(one)[0].split(' ').nth(2).unwrap().parse().unwrap();
        all(spec, tokenizer()).iter().map(read).collect()
    };
    let order = numbers(&spec);
    assert!(order[..20].iter().any(|&number| number > 200) && order[..20].iter().any(|&number| number < 100));
    let later = numbers(&DatasetSpec { dataset_offset: 5, ..spec.clone() });
    assert_eq!(later[..order.len() - 5], order[5..]);
    let mut distinct = order.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), order.len());
}
