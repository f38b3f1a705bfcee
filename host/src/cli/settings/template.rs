//! A configuration file to begin with: every flag with its help, commented out but for a few.

use serde_json::{Value, json};

use super::file::Format;
use super::flag::{Flag, Takes, Type};
use super::schema::typed;

/// The flags that are set in the file, for a run to be had at once.
fn set(flag: &Flag) -> Option<Value> {
    match flag.name.as_str() {
        "model" => Some(json!("MODEL")),
        "url" => Some(json!("http://127.0.0.1:8000/v1/chat/completions")),
        "api" => Some(json!("openai")),
        "parallel" => Some(json!([1, 8, 32])),
        "number" => Some(json!([20, 160, 640])),
        "prompt" => Some(json!("Tell me a story.")),
        _ => None,
    }
}

/// The text of the file. JSON has no comments, and holds only what is set.
pub(super) fn template(flags: &[Flag], format: Format) -> String {
    let flags: Vec<&Flag> = flags.iter().filter(|flag| flag.name != "config").collect();
    if format == Format::Json {
        let object: serde_json::Map<String, Value> =
            flags.iter().filter_map(|flag| Some((flag.name.clone(), set(flag)?))).collect();
        return format!("{:#}\n", Value::Object(object));
    }
    let mut headings: Vec<&str> = Vec::new();
    for flag in &flags {
        if !headings.contains(&flag.heading.as_str()) {
            headings.push(&flag.heading);
        }
    }
    let mut text = String::from(
        "# tickrate perf --config THIS_FILE. The command line wins over the environment (TICKRATE_MODEL and\n\
         # so on), and the environment over this file. What is commented out is shown with its default.\n",
    );
    for heading in headings {
        text.push_str(&format!("\n# ── {heading} ──\n"));
        for flag in flags.iter().filter(|flag| flag.heading == heading) {
            text.push('\n');
            text.push_str(&comment(&flag.about));
            text.push_str(&entry(flag, format));
        }
    }
    text
}

fn entry(flag: &Flag, format: Format) -> String {
    let sign = if format == Format::Toml { " =" } else { ":" };
    let line = |value: String| format!("{}{sign} {value}\n", flag.name);
    match (set(flag), flag.takes, &flag.defaults[..]) {
        // A list of plain values and a text in double quotes are written alike in all three formats.
        (Some(value), ..) => line(value.to_string().replace(",", ", ")),
        (None, Takes::Nothing, _) => format!("# {}", line("false".to_string())),
        (None, _, [one]) => format!("# {}", line(typed(flag, one).to_string())),
        (None, Takes::Many(_), []) => format!("# {}", line(format!("[]  # {}", flag.value_name))),
        (None, _, []) if flag.type_ == Type::Json => format!("# {}", line("{}".to_string())),
        (None, _, []) => {
            format!("# {}", line(format!("\"\"  # {}", flag.value_name)).replace("\"\"  # ", "# "))
        }
        (None, _, many) => {
            let many: Vec<Value> = many.iter().map(|text| typed(flag, text)).collect();
            format!("# {}", line(Value::Array(many).to_string()))
        }
    }
}

/// A text as lines of comment, broken between words.
fn comment(text: &str) -> String {
    const WIDTH: usize = 98;
    let mut out = String::from("#");
    let mut used = 1;
    for word in text.split_whitespace() {
        let length = word.chars().count() + 1;
        if used + length > WIDTH {
            out.push_str("\n#");
            used = 1;
        }
        out.push(' ');
        out.push_str(word);
        used += length;
    }
    out + "\n"
}
