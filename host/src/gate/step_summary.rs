//! A page in Markdown of what a run came to, as GitHub shows it beside a job.

use super::Verdict;
use crate::metrics::{Metric, Percentile, Quantity, SINGLES, StageSummary};

/// The figures that the page has a column for.
fn columns() -> Vec<(&'static str, Quantity)> {
    let single = |name: &str| SINGLES.iter().find(|single| single.name == name).map(Quantity::Single);
    let p99 = Percentile::At(99.0);
    [
        ("req/s", single("request_throughput")),
        ("tok/s", single("output_throughput")),
        ("avg TTFT", Some(Quantity::Of(Metric::Ttft, Percentile::Mean))),
        ("p99 TTFT", Some(Quantity::Of(Metric::Ttft, p99))),
        ("avg TPOT", Some(Quantity::Of(Metric::Tpot, Percentile::Mean))),
        ("p99 TPOT", Some(Quantity::Of(Metric::Tpot, p99))),
        ("p99 latency", Some(Quantity::Of(Metric::Latency, p99))),
        ("errors", single("error_rate")),
    ]
    .into_iter()
    .filter_map(|(title, quantity)| Some((title, quantity?)))
    .collect()
}

/// The page: `title`, a row for each stage, what the client says of itself, and the gates.
pub fn step_summary(title: &str, stages: &[StageSummary], verdicts: &[Verdict]) -> String {
    let columns = columns();
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let mut text = format!("## {}\n\n| stage | {} |\n|---|", escaped(title), titles.join(" | "));
    text += &"---:|".repeat(columns.len());
    for stage in stages {
        text += &format!("\n| {} |", escaped(&stage.stage.name));
        for (_, quantity) in &columns {
            let shown = quantity.of(stage).map_or_else(|| "—".to_string(), |value| quantity.show(value));
            text += &format!(" {shown} |");
        }
    }
    text += "\n";
    for stage in stages {
        if let Some(health) = &stage.health {
            text += &format!("\n- {}: {}", escaped(&stage.stage.name), escaped(&health.verdict));
        }
    }
    text += "\n";
    if !verdicts.is_empty() {
        text += "\n| gate | stage | figure | |\n|---|---|---:|---|\n";
        for verdict in verdicts {
            let quantity = Quantity::named(&verdict.figure).ok();
            let value = verdict.value.zip(quantity).map(|(value, quantity)| quantity.show(value));
            let stage = verdict.stage.as_deref().map_or_else(|| "—".to_string(), escaped);
            text += &format!(
                "| fail if {} | {stage} | {} | {} |\n",
                escaped(&verdict.gate),
                value.as_deref().unwrap_or("—"),
                if verdict.failed { "❌ failed" } else { "✅ passed" }
            );
        }
    }
    text
}

/// A text as Markdown shows it, in one cell of a table.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '`' | '[' | ']' | '\\' | '#' | '!' | '~' => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty_stage;
    use super::super::{Gate, judge};
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_stage_and_each_gate_and_nothing_breaks_out_of_a_cell() {
        let stages = [empty_stage("parallel_1"), empty_stage("<b>|")];
        let gates: Vec<Gate> = vec!["failed_requests > 0".parse().unwrap(), "rps < 1".parse().unwrap()];
        let text = step_summary("model | <script>", &stages, &judge(&gates, &stages));
        assert!(text.starts_with("## model \\| &lt;script&gt;\n"), "{text}");
        assert!(text.contains("| &lt;b&gt;\\| | — |"), "{text}");
        assert!(text.contains("| fail if failed_requests &gt; 0 | parallel_1 | 0 | ✅ passed |"), "{text}");
        assert!(text.contains("| fail if rps &lt; 1 | parallel_1 | — | ❌ failed |"), "{text}");
    }
}
