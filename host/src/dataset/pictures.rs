//! `flickr8k` and `kontext_bench`: pictures with a text each, from Parquet or Arrow files; those of
//! `flickr8k` also from the tar archives of a web dataset.

use std::sync::Arc;

use super::items::{Items, unusable};
use super::prompts::Prompts;
use super::source::{Format, Place, Record, find};
use super::webdataset::WebDataset;
use super::{DatasetSpec, NoOptions, options, picture};
use crate::contract::{Conversation, Dataset, Media, Message, Part, PartError};
use crate::tokenizer::Tokenizer;

/// Where the pictures of `flickr8k` are.
pub(super) const FLICKR8K: Place = Place {
    model_scope: "clip-benchmark/wds_flickr8k",
    hugging_face: "clip-benchmark/wds_flickr8k",
    file: "test/*.tar",
};
/// Where the pictures of `kontext_bench` are.
pub(super) const KONTEXT: Place = Place {
    model_scope: "black-forest-labs/kontext-bench",
    hugging_face: "black-forest-labs/kontext-bench",
    file: "data/test-*.parquet",
};
/// What is asked about a picture that has no text.
const DESCRIBE: &str = "Describe the image";

pub(super) fn open_flickr8k(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let asked = asking(spec, tokenizer)?;
    let files = find(spec, Some(FLICKR8K))?;
    if files.iter().any(|file| file.extension().is_some_and(|ending| ending == "tar")) {
        let make = move |picture: Vec<u8>, text: String| asked(&picture, &text);
        return Ok(Box::new(WebDataset::open(spec, files, Box::new(make))?));
    }
    rows(spec, FLICKR8K, &["jpg", "image"], &["txt", "caption", "text"], asked)
}

pub(super) fn open_kontext(
    spec: &DatasetSpec,
    tokenizer: Option<Arc<Tokenizer>>,
) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let asked = asking(spec, tokenizer)?;
    rows(spec, KONTEXT, &["image"], &["instruction"], asked)
}

type Ask = Box<dyn Fn(&[u8], &str) -> Result<Conversation, String> + Send>;

/// Makes a message of a picture and a text; the error is the rest of a sentence about them.
fn asking(spec: &DatasetSpec, tokenizer: Option<Arc<Tokenizer>>) -> Result<Ask, PartError> {
    if spec.tokenize_prompt || !spec.apply_chat_template {
        return Err(PartError::InvalidConfig(format!(
            "the dataset \"{}\" sends pictures, which only chats can hold; give --url a path of chat/completions and leave out --tokenize-prompt",
            spec.name
        )));
    }
    let prompts = Prompts::new(spec, tokenizer)?;
    Ok(Box::new(move |picture, text| {
        let mime = picture::mime(picture)
            .ok_or("has a picture that is neither JPEG, PNG, GIF nor WebP; correct it")?;
        let text = if text.trim().is_empty() { DESCRIBE } else { text.trim() };
        let media = Media { mime: mime.into(), data: picture.to_vec() };
        let content = vec![Part::Text(text.into()), Part::Image(media)];
        let message = Message { role: "user".into(), content, fields: Vec::new() };
        prompts.chat(vec![message]).map(Into::into).map_err(unusable)
    }))
}

fn rows(
    spec: &DatasetSpec,
    place: Place,
    pictures: &'static [&'static str],
    texts: &'static [&'static str],
    asked: Ask,
) -> Result<Box<dyn Dataset>, PartError> {
    let read = move |record: &Record| {
        let found = pictures
            .iter()
            .find_map(|column| record.blob(column).or_else(|| record.blob(&format!("{column}.bytes"))));
        let picture = found.ok_or_else(|| {
            format!("has no picture in a column \"{}\"; correct it", pictures.join("\" or \""))
        })?;
        let row: serde_json::Map<String, serde_json::Value> =
            record.parse().map_err(|error| format!("cannot be read ({error}); correct it"))?;
        let text = texts.iter().find_map(|column| row.get(*column)?.as_str()).unwrap_or_default();
        asked(picture, text).map(Some)
    };
    Ok(Box::new(Items::open(spec, Some(place), Format::Parquet, Box::new(read))?))
}
