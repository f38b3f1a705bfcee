//! The flags of `tickrate compare`.

use std::path::PathBuf;

use clap::Args;

use super::gates::GateArgs;
use crate::app::{self, AppError, CompareSpec, Exit, Format};
use crate::config::Problem;

/// Runs beside each other, with how significant each difference is.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The runs' folders; the others are compared with the first
    #[arg(value_name = "DIR", required = true, num_args = 2..)]
    folders: Vec<PathBuf>,
    /// How it is shown: text, markdown, json or html
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    format: Format,
    /// File to write it to [default: the standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with code 6 if a figure is worse by more than this, and by more than chance; with 7 if that
    /// cannot be judged because the runs cannot be compared
    #[arg(long, value_name = "PERCENT", help_heading = "Gates")]
    fail_if_regressed: Option<String>,
    #[command(flatten)]
    gates: GateArgs,
}

/// Compares the runs.
pub fn run(args: &CompareArgs) -> Result<Exit, AppError> {
    let mut problems = Vec::new();
    let gates = args.gates.config(&mut problems);
    let percent = args.fail_if_regressed.as_deref().and_then(|text| {
        let number = text.trim().strip_suffix('%').and_then(|digits| digits.trim().parse::<f64>().ok());
        let percent = number.filter(|percent| *percent >= 0.0 && percent.is_finite());
        if percent.is_none() {
            let message = format!("\"{text}\" is no share; write a number and %, such as 5%");
            problems.push(Problem::new("--fail-if-regressed", message));
        }
        percent
    });
    if !problems.is_empty() {
        return Err(problems.into());
    }
    app::compare(&CompareSpec {
        folders: args.folders.clone(),
        format: args.format,
        output: args.output.clone(),
        fail_if_regressed_percent: percent,
        gates,
    })
}
