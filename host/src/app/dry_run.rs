//! `tickrate perf --dry-run`: what a run would do, from everything that can be known without its server.

use std::sync::Arc;

use serde_json::Value;

use super::exit::{AppError, Exit};
use super::parts::{self, Parts};
use super::{connection, replay};
use crate::config::{Config, redact_url};
use crate::contract::{HttpRequest, PartError, TurnInContext};
use crate::engine;
use crate::output::console::Console;
use crate::output::table;
use crate::plan::{self, Expected};
use crate::units::{decimal, grouped};

/// The longest text in a sample request that is shown in full, in characters.
const LONGEST_TEXT: usize = 300;
/// The longest list of numbers, such as token ids, that is shown in full.
const LONGEST_LIST: usize = 16;

/// Prints the plan of the run that `config` describes. Datasets, tokenizers and plugins are opened;
/// nothing is sent, and no folder is made.
pub fn dry_run(mut config: Config) -> Result<Exit, AppError> {
    let console = Console::default();
    let secrets = config.secrets();
    connection::complete_url(&mut config, &console);
    let mut parts = parts::open(&config, &console)?;
    if let Some(note) = replay::fit(&mut config, parts.dataset.as_ref())? {
        console.print(&format!("note: {note}"));
    }
    let sample = sample(&mut parts).map_err(|error| AppError::usage(format!("--dataset: {error}")))?;
    console.print(&load(&config));
    console.print(&request(&config, &sample, &secrets));
    console.print("\nnothing was sent; leave out --dry-run to run this");
    Ok(Exit::Success)
}

/// The first request of the run.
fn sample(parts: &mut Parts) -> Result<HttpRequest, PartError> {
    let empty = || PartError::InvalidData("is empty; give one with at least one item".to_string());
    let conversation = parts.dataset.next(1)?.into_iter().next().ok_or_else(empty)?;
    let turn = conversation.turns.into_iter().next().ok_or_else(empty)?;
    let turn = TurnInContext {
        request_id: "RUN-0".to_string(),
        conversation_id: conversation.id.unwrap_or_else(|| "0".to_string()),
        turn_index: 0,
        history: Arc::new(Vec::new()),
        turn,
    };
    engine::shape(parts.api.as_ref(), &turn)
}

/// The stages and their time.
fn load(config: &Config) -> String {
    if let Some(sla) = &config.sla {
        let variable = format!("{:?}", sla.variable).to_lowercase();
        return format!(
            "plan: a search for the highest {variable} from {} to {}, beginning at {}, each load measured up to {} times",
            sla.lower, sla.upper, sla.start, sla.runs
        );
    }
    let stages = plan::stages(config, config.output.outputs_dir.as_path());
    let rest_s = config.load.sleep_interval_s * (stages.len() - 1) as f64;
    let requests: u64 = stages.iter().map(|stage| stage.number + stage.warmup).sum();
    let (mut known_s, mut open) = (rest_s, false);
    let rows: Vec<[String; 6]> = stages
        .iter()
        .map(|stage| {
            let expected = plan::expected(config, stage);
            known_s += expected.known_s();
            open |= !matches!(expected, Expected::About(_));
            let or_dash = |value: Option<String>| value.unwrap_or_else(|| "—".to_string());
            [
                stage.name.clone(),
                or_dash(stage.parallel.map(|parallel| parallel.to_string())),
                or_dash(stage.rate_rps.map(|rate| decimal(rate, 2))),
                grouped(stage.number),
                grouped(stage.warmup),
                time(&expected),
            ]
        })
        .collect();
    let header = ["Stage", "In flight", "Rate (req/s)", "Requests", "Warm-up", "Time"];
    let total = match (known_s > 0.0, open) {
        (true, true) => format!("at least {} s", decimal(known_s, 1)),
        (true, false) => format!("about {} s", decimal(known_s, 1)),
        (false, _) => "as long as the server takes".to_string(),
    };
    format!(
        "plan: {} {}, {} requests, {total}, {} s of it between stages\n{}",
        stages.len(),
        if stages.len() == 1 { "stage" } else { "stages" },
        grouped(requests),
        decimal(rest_s, 1),
        table::plain(header, rows.into_iter())
    )
}

fn time(expected: &Expected) -> String {
    match expected {
        Expected::About(s) => format!("about {} s and the last replies", decimal(*s, 1)),
        Expected::AtLeast(s) => format!("at least {} s", decimal(*s, 1)),
        Expected::AtMost(s) => format!("at most {} s and the last replies", decimal(*s, 1)),
        Expected::InTurn(replies) => format!("{} replies one after the other", grouped(*replies)),
        Expected::Recorded => "as recorded".to_string(),
    }
}

/// The sample request, without secrets and without most of what is long.
fn request(config: &Config, sample: &HttpRequest, secrets: &[String]) -> String {
    let mut text = format!("\nsample request:\n{} {}\n", sample.method, redact_url(&sample.url));
    let own = sample.headers.iter().map(|(name, value)| crate::config::Header::new(name, value));
    for header in own.chain(config.connection.headers.iter().cloned()) {
        text.push_str(&format!("{}: {}\n", header.name(), header.shown()));
    }
    let body = match serde_json::from_slice::<Value>(&sample.body) {
        Ok(mut body) => {
            shorten(&mut body);
            format!("{body:#}")
        }
        Err(_) => format!("({} bytes that are no JSON)", sample.body.len()),
    };
    text.push('\n');
    text.push_str(&body);
    secrets.iter().fold(text, |text, secret| text.replace(secret, "[redacted]"))
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            if length > LONGEST_TEXT {
                let begin: String = text.chars().take(LONGEST_TEXT / 3).collect();
                *text = format!("{begin}… ({} characters)", grouped(length as u64));
            }
        }
        Value::Array(values) => {
            let length = values.len();
            if length > LONGEST_LIST && values.iter().all(Value::is_number) {
                values.truncate(LONGEST_LIST / 2);
                values.push(Value::from(format!("… ({} numbers)", grouped(length as u64))));
            }
            values.iter_mut().for_each(shorten);
        }
        Value::Object(object) => object.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_shortened_and_the_rest_is_not() {
        let mut body =
            serde_json::json!({"a": "x".repeat(5000), "ids": (0..100).collect::<Vec<_>>(), "b": "y"});
        shorten(&mut body);
        assert_eq!(body["a"], format!("{}… (5,000 characters)", "x".repeat(100)));
        assert_eq!(body["ids"].to_string(), r#"[0,1,2,3,4,5,6,7,"… (100 numbers)"]"#);
        assert_eq!(body["b"], "y");
    }
}
