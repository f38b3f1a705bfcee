//! Reading a `tokenizer.json`. Nearly all of such a file is the vocabulary. The library finds out what
//! kind of model it is from a copy of the whole of it, several times as large as the text; the common
//! kind, byte pairs (BPE), is read here straight from the text, so that opening one takes half the memory
//! and half the time.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokenizers::models::bpe::BPE;
use tokenizers::{AddedToken, Error, Tokenizer};

/// Stands where the vocabulary was while all else is read.
const EMPTY_MODEL: &str = r#"{"type": "BPE", "vocab": {}, "merges": []}"#;

/// The tokenizer that `json` describes, without the padding and the truncation that may be stored in it:
/// they would falsify a count. What makes no sense is the library's own error.
pub(super) fn parse(json: &str) -> Result<Tokenizer, Error> {
    let mut tokenizer = match byte_pairs(json) {
        Some(tokenizer) => tokenizer,
        None => Tokenizer::from_bytes(json.as_bytes())?,
    };
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None)?;
    Ok(tokenizer)
}

/// The same as [`Tokenizer::from_bytes`] for a model of byte pairs that has nothing wrong with it;
/// `None` for everything else.
fn byte_pairs(json: &str) -> Option<Tokenizer> {
    #[derive(Deserialize)]
    struct Model<'a> {
        r#type: &'a str,
    }
    let mut members: BTreeMap<&str, &RawValue> = serde_json::from_str(json).ok()?;
    let model = members.remove("model")?.get();
    if serde_json::from_str::<Model>(model).ok()?.r#type != "BPE" {
        return None;
    }
    let added: Vec<AddedToken> = match members.remove("added_tokens") {
        Some(added) => serde_json::from_str(added.get()).ok()?,
        None => Vec::new(),
    };
    let empty = RawValue::from_string(EMPTY_MODEL.to_string()).ok()?;
    members.insert("model", &empty);
    let mut tokenizer = Tokenizer::from_bytes(serde_json::to_string(&members).ok()?.as_bytes()).ok()?;
    // The added tokens get their ids from the vocabulary, or the next ones after it.
    tokenizer.with_model(serde_json::from_str::<BPE>(model).ok()?);
    tokenizer.add_tokens(added).ok()?;
    Some(tokenizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../../../tests/data/tokenizer/tokenizer.json");

    #[test]
    fn byte_pairs_become_what_the_library_makes_of_the_file() {
        let (ours, theirs) = (byte_pairs(FIXTURE).unwrap(), Tokenizer::from_bytes(FIXTURE).unwrap());
        assert_eq!(serde_json::to_value(&ours).unwrap(), serde_json::to_value(&theirs).unwrap());
        assert_eq!(ours.get_vocab(true), theirs.get_vocab(true));
        let text = "<|im_start|>user\nthe first token, déjà 🦀<|im_end|>";
        assert_eq!(
            ours.encode(text, false).unwrap().get_ids(),
            theirs.encode(text, false).unwrap().get_ids()
        );
    }

    #[test]
    fn another_kind_of_model_and_a_broken_file_are_the_librarys_affair() {
        let words = r#"{"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}"#;
        let whole = |model: &str| format!(r#"{{"version": "1.0", "added_tokens": [], "model": {model}}}"#);
        assert!(byte_pairs(&whole(words)).is_none());
        assert_eq!(parse(&whole(words)).unwrap().get_vocab_size(true), 1);

        let unknown_merge = r#"{"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}"#;
        let broken = whole(unknown_merge);
        let theirs = Tokenizer::from_bytes(broken.as_bytes()).unwrap_err().to_string();
        assert_eq!(parse(&broken).unwrap_err().to_string(), theirs);
    }

    #[test]
    fn stored_padding_and_truncation_are_dropped() {
        let cut = r#"{"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}"#;
        let stored = FIXTURE.replacen("\"truncation\":null", &format!("\"truncation\":{cut}"), 1);
        let length = |tokenizer: Tokenizer| tokenizer.encode("the first token", false).unwrap().len();
        assert_eq!(length(Tokenizer::from_bytes(stored.as_bytes()).unwrap()), 1);
        assert_eq!(length(parse(&stored).unwrap()), 4);
    }
}
