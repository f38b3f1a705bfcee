//! `tickrate datasets`: which datasets are built in, and what one of them reads and takes.

use std::io::Write;

use clap::Args;

use crate::app::{AppError, Exit};
use crate::dataset;

/// The flags of `tickrate datasets`.
#[derive(Debug, Clone, Args)]
pub struct DatasetsArgs {
    /// The dataset to describe, with the JSON Schema of its --dataset-args; all of them if none is named
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Prints the table of the datasets, or what there is to know about one.
pub fn run(args: &DatasetsArgs) -> Result<Exit, AppError> {
    let text = match &args.name {
        None => table(),
        Some(name) => one(name)?,
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        AppError::new(Exit::Failed, format!("cannot write to the standard output: {error}"))
    })?;
    Ok(Exit::Success)
}

fn table() -> String {
    let width = dataset::names().map(str::len).max().unwrap_or(0);
    let mut text = String::new();
    for name in dataset::names() {
        if let Some(described) = dataset::describe(name) {
            let turns = if described.multi_turn { " (--multi-turn)" } else { "" };
            text.push_str(&format!("{name:width$}  {}{turns}\n", described.about));
        }
    }
    text + "\ntickrate datasets NAME describes one of them.\n"
}

fn one(name: &str) -> Result<String, AppError> {
    let described = dataset::describe(name).ok_or_else(|| {
        AppError::usage(format!(
            "the dataset \"{name}\" is not known; tickrate datasets lists those that are"
        ))
    })?;
    let mut text = format!("{name}: {}\n", described.about);
    match described.file {
        None => text.push_str("reads no file\n"),
        Some(file) => text.push_str(&format!("--dataset-path: {file}\n")),
    }
    if let Some(place) = described.place {
        text.push_str(&format!("to be had as: {} of {}\n", place.file, place.repositories()));
        text.push_str("it is downloaded when no --dataset-path is given; --data-source chooses the hub\n");
    }
    if described.multi_turn {
        text.push_str("requires --multi-turn; --number counts conversations\n");
    }
    let schema = serde_json::to_string_pretty(&described.schema).unwrap_or_default();
    text.push_str(&format!("--dataset-args, as a JSON Schema:\n{schema}\n"));
    Ok(text)
}
