use super::*;
use crate::contract::Part;

fn fixture() -> Tokenizer {
    Tokenizer::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer")).unwrap()
}

fn with_template(template: &str) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer/tokenizer.json");
    std::fs::copy(from, folder.path().join("tokenizer.json")).unwrap();
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"bos_token": {"content": "<s>"}}"#)
        .unwrap();
    Tokenizer::open(folder.path()).unwrap()
}

#[test]
fn text_survives_a_round_trip_and_is_counted() {
    let tokenizer = fixture();
    for text in ["the first token", "", "你好, déjà\n\n  vu 1024", "🦀"] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        assert_eq!(tokenizer.count(text).unwrap(), ids.len());
    }
}

#[test]
fn plain_ids_are_ascending_and_hold_no_special_token() {
    let tokenizer = fixture();
    let ids = tokenizer.plain_ids();
    assert!(ids.is_sorted());
    assert_eq!(ids.len(), tokenizer.inner.get_vocab_size(true) - 3);
    assert!(tokenizer.encode("<|im_end|>").unwrap().iter().all(|id| !ids.contains(id)));
    assert!(is_byte_fallback("<0x0A>") && !is_byte_fallback("<0x"));
}

#[test]
fn the_chat_template_is_rendered_and_counted() {
    let tokenizer = fixture();
    let messages = [Message::text("user", "hello"), Message::text("assistant", "yes")];
    let text = tokenizer.render_chat(&messages, true).unwrap();
    assert_eq!(
        text,
        "<|im_start|>system\nAnswer briefly.<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n\
         <|im_start|>assistant\nyes<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(tokenizer.count_chat(&messages).unwrap(), tokenizer.count(&text).unwrap());
    assert!(!tokenizer.render_chat(&messages, false).unwrap().ends_with("assistant\n"));
}

#[test]
fn a_refusal_of_the_template_is_reported_in_its_words() {
    let messages = [Message::text("user", "a"), Message::text("system", "b")];
    let error = fixture().render_chat(&messages, true).unwrap_err().to_string();
    assert!(error.contains("a system message comes first or not at all"), "{error}");
    assert!(error.contains("--no-apply-chat-template"), "{error}");
}

#[test]
fn templates_may_use_what_the_python_ones_use() {
    let template = "{{ bos_token }}{% for m in messages %}\n  {% if m.content is string %}\n\
        {{ m['role'].upper() + ':' + m.content.strip() }}{% else %}{{ m.content | tojson }}{% endif %}\n\
        {% if loop.last %}{% break %}{% endif %}{% endfor %}\n{%- generation %}\n!{% endgeneration %}\n\
        {{ strftime_now('%Y') | length }}{{ tools is none }}{{ m is defined }}";
    let tokenizer = with_template(template);
    let image = Part::Json(r#"{"type":"image_url","n":[1,2]}"#.into());
    let messages = [
        Message::text("user", " <hi> "),
        Message { role: "user".into(), content: vec![Part::Text("é\"".into()), image], fields: vec![] },
    ];
    assert_eq!(
        tokenizer.render_chat(&messages, true).unwrap(),
        "<s>USER:<hi>[{\"type\": \"text\", \"text\": \"é\\\"\"}, {\"type\": \"image_url\", \"n\": [1, 2]}]!4TrueFalse"
    );
}

#[test]
fn every_way_to_fail_says_what_to_do() {
    let say = |path: &Path| Tokenizer::open(path).unwrap_err().to_string();
    assert!(
        say(Path::new("no/such"))
            .starts_with("the tokenizer \"no/such\" does not exist; give --tokenizer-path")
    );
    let folder = tempfile::tempdir().unwrap();
    assert!(say(folder.path()).contains("holds no tokenizer.json"));
    let file = folder.path().join("tokenizer.json");
    std::fs::write(&file, "{}").unwrap();
    assert!(say(folder.path()).contains("cannot be understood"));
    assert!(say(&file).contains("tokenizer.json\" cannot be understood"));
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tokenizer/tokenizer.json");
    std::fs::copy(from, &file).unwrap();
    let plain = Tokenizer::open(&file).unwrap();
    assert!(!plain.has_chat_template());
    let error = plain.count_chat(&[]).unwrap_err().to_string();
    assert!(error.contains("has no chat template") && error.contains("--no-apply-chat-template"), "{error}");
    let broken = with_template("{% for %}").count_chat(&[]).unwrap_err().to_string();
    assert!(broken.contains("failed: line 1"), "{broken}");
}

#[test]
fn of_several_templates_the_default_is_taken() {
    let value = serde_json::json!([{"name": "tool", "template": "a"}, {"name": "default", "template": "b"}]);
    assert_eq!(template_source(&value).as_deref(), Some("b"));
    assert_eq!(template_source(&serde_json::json!("c")).as_deref(), Some("c"));
    assert_eq!(template_source(&serde_json::json!([])), None);
}

#[test]
fn it_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Tokenizer>();
}
