//! A comparison as tables: for a terminal, and in Markdown for a pull request.

use super::Comparison;
use crate::metrics::{Difference, Finding, Unit};
use crate::output::table::plain;
use crate::units::{ABSENT, decimal};

const HEADER: [&str; 6] = ["Figure", "First", "This run", "Change", "95 % interval", "Finding"];

/// A change with its sign and unit: `+3.2 %`.
pub(super) fn change(one: &Difference) -> String {
    one.change.map_or_else(|| ABSENT.to_string(), |change| signed(change, unit(one)))
}

fn unit(one: &Difference) -> &'static str {
    if one.quantity.unit() == Unit::Percent { "points" } else { "%" }
}

fn signed(value: f64, unit: &str) -> String {
    format!("{}{} {unit}", if value > 0.0 { "+" } else { "" }, decimal(value, 1))
}

/// What a finding is called.
pub(super) fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::Better => "better",
        Finding::Worse => "worse",
        Finding::NoDifference => "no difference",
        Finding::Unknown => "cannot be told",
    }
}

/// The cells of a row of a table.
pub(super) fn row(one: &Difference) -> [String; 6] {
    let interval = one.interval.map_or_else(
        || ABSENT.to_string(),
        |interval| format!("{} … {}", signed(interval.low, unit(one)), signed(interval.high, unit(one))),
    );
    [
        one.quantity.name(),
        one.quantity.show(one.first),
        one.quantity.show(one.second),
        change(one),
        interval,
        finding(one.finding).to_string(),
    ]
}

impl Comparison {
    /// Tables for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for other in &self.others {
            out += &format!("\n{} compared with {}\n", other.name, self.first);
            for why in &other.not_comparable {
                out += &format!("  not comparable: {why}\n");
            }
            for pair in &other.pairs {
                out += &format!("\n{}\n", title(&pair.first, &pair.second));
                for why in &pair.not_comparable {
                    out += &format!("  not comparable: {why}\n");
                }
                for note in &pair.notes {
                    out += &format!("  note: {note}\n");
                }
                out += &format!("{}\n", plain(HEADER, pair.differences.iter().map(row)));
            }
            for why in &other.alone {
                out += &format!("not compared: {why}\n");
            }
        }
        out
    }

    /// The same in Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for other in &self.others {
            out += &format!("## `{}` compared with `{}`\n", code(&other.name), code(&self.first));
            for why in &other.not_comparable {
                out += &format!("\n> ⚠️ not comparable: `{}`\n", code(why));
            }
            for pair in &other.pairs {
                out += &format!("\n### `{}`\n\n", code(&title(&pair.first, &pair.second)));
                for why in &pair.not_comparable {
                    out += &format!("> ⚠️ not comparable: `{}`\n\n", code(why));
                }
                for note in &pair.notes {
                    out += &format!("> note: `{}`\n\n", code(note));
                }
                out += &format!("| {} |\n|---|---:|---:|---:|---:|---|\n", HEADER.join(" | "));
                for one in &pair.differences {
                    let mark = match one.finding {
                        Finding::Better => "🟢 ",
                        Finding::Worse => "🔴 ",
                        _ => "",
                    };
                    let [name, first, second, change, interval, finding] = row(one);
                    out += &format!(
                        "| {name} | {first} | {second} | {change} | {interval} | {mark}{finding} |\n"
                    );
                }
            }
            for why in &other.alone {
                out += &format!("\nNot compared: `{}`\n", code(why));
            }
            out += "\n";
        }
        out
    }
}

fn title(first: &str, second: &str) -> String {
    if first == second { first.to_string() } else { format!("{first} and {second}") }
}

/// A text as it may stand between backquotes on one line.
fn code(text: &str) -> String {
    text.replace('`', "'").replace(['\n', '\r'], " ")
}
