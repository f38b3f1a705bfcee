//! The tables, in Markdown.

use std::fmt::Write;
use std::path::Path;

use crate::BenchError;
use crate::matrix::ROUNDS_ALONE;
use crate::results::{Cell, Figures, Paced, Reader, Results};
use crate::truth::{Errors, Spread};

const BEGIN: &str = "<!-- fidelity: begin -->";
const END: &str = "<!-- fidelity: end -->";

/// Puts `text` between the markers of a document.
pub fn write(document: &Path, text: &str) -> Result<(), BenchError> {
    let before = std::fs::read_to_string(document).map_err(BenchError::system("read docs/accuracy.md"))?;
    let (head, rest) = before.split_once(BEGIN).ok_or(BenchError::Markers)?;
    let (_, tail) = rest.split_once(END).ok_or(BenchError::Markers)?;
    let after = format!("{head}{BEGIN}\n{text}\n{END}{tail}");
    std::fs::write(document, after).map_err(BenchError::system("write docs/accuracy.md"))
}

/// All tables.
pub fn render(results: &Results) -> String {
    let mut out = String::new();
    let realtime = match results.realtime {
        Some(true) => ", with real-time priority",
        Some(false) => ", without real-time priority",
        None => "",
    };
    let alone = match results.cells.iter().any(|cell| cell.streams == 1) {
        true => format!(", of {} with a single stream", results.rounds * ROUNDS_ALONE),
        false => String::new(),
    };
    let shielded = if results.shielded { ", the client before other work on the other" } else { "" };
    let _ = writeln!(
        out,
        "{} cores; the server alone on one of them{realtime}{shielded}. {} of {} \
         rounds{alone}. Load average of the machine before and after: {}.\n",
        results.cores,
        if results.best { "Best" } else { "Median" },
        results.rounds,
        results.load_average.join(" and ")
    );
    out.push_str(&errors(&results.cells));
    out.push('\n');
    out.push_str(&costs(&results.cells));
    out.push('\n');
    out.push_str(&others(results));
    out.push('\n');
    out.push_str(&targets(results));
    out.trim_end().to_string()
}

fn errors(cells: &[Cell]) -> String {
    let mut out = String::from(
        "Errors in ms, p50 / p99 / max:\n\n\
         | streams | ms between tokens | reader | TTFT | its parts: first token late | request under way | ITL | latency | requests wrong |\n\
         | ---: | ---: | --- | --- | --- | --- | --- | --- | ---: |\n",
    );
    for cell in cells {
        for (reader, Figures { errors, .. }) in &cell.readers {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                cell.streams,
                cell.itl_ms,
                reader.name(),
                spread(errors.ttft),
                spread(errors.lateness),
                spread(errors.way),
                spread(errors.itl),
                spread(errors.latency),
                errors.wrong
            );
        }
    }
    out
}

fn costs(cells: &[Cell]) -> String {
    let mut out = String::from(
        "Load and cost; in brackets, as a multiple of the raw reader's:\n\n\
         | streams | ms between tokens | reader | load delivered | CPU µs a token | with the start-up | peak MiB | its own verdict |\n\
         | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for cell in cells {
        for (reader, figures) in &cell.readers {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {:.1} % | {} | {:.1} | {:.0} | {} |",
                cell.streams,
                cell.itl_ms,
                reader.name(),
                figures.delivered * 100.0,
                beside(cell, *reader, |figures| figures.cpu_us, 1),
                figures.cpu_in_all_us,
                figures.rss_mib,
                verdict(*reader, figures)
            );
        }
    }
    out
}

fn verdict(reader: Reader, figures: &Figures) -> String {
    match (reader, figures.limited > 0.5) {
        (Reader::Floor, _) => "–".to_string(),
        (_, true) => "the client was a limit".to_string(),
        (_, false) => format!("± {:.2} ms", figures.trust_ms),
    }
}

fn others(results: &Results) -> String {
    let mut out = String::from("Other loads:\n\n| load | figure | value |\n| --- | --- | --- |\n");
    for reader in Reader::ALL {
        let figure = |of| results.start_up(reader, of);
        let figures = (figure(|start_up| start_up.cpu_s), figure(|start_up| start_up.to_request_ms));
        let (Some(cpu_s), Some(to_request_ms)) = figures else { continue };
        let _ = writeln!(
            out,
            "| one request of one token | CPU ms in all; ms to the request, {} | {:.0}; {to_request_ms:.0} |",
            reader.name(),
            cpu_s * 1e3
        );
    }
    for (name, cell) in &results.large {
        for (reader, Figures { errors, .. }) in &cell.readers {
            let _ = writeln!(
                out,
                "| {} streams, {name} | {}: load delivered; errors of TTFT, first token, ITL in ms | {:.1} %; {}; {}; {} |",
                cell.streams,
                reader.name(),
                cell.of(*reader).map_or(f64::NAN, |figures| figures.delivered * 100.0),
                spread(errors.ttft),
                spread(errors.lateness),
                spread(errors.itl),
            );
        }
    }
    if let Some(cell) = &results.saturated {
        for (reader, _) in &cell.readers {
            let _ = writeln!(
                out,
                "| 16 streams, a server as fast as it can | tokens/s, {} | {} |",
                reader.name(),
                beside(cell, *reader, |figures| figures.tokens_per_s, 0)
            );
            let _ = writeln!(
                out,
                "| | CPU µs a token, {} | {} |",
                reader.name(),
                beside(cell, *reader, |figures| figures.cpu_us, 2)
            );
        }
    }
    if let Some(several) = &results.several {
        let _ = writeln!(
            out,
            "| 64 streams, four tokens in a frame every 20 ms | `time_per_token_ms`, truth {:.2} | {:.3} |\n\
             | | `tpot_ms`, the baseline's formula | {:.3} |",
            several.truth_ms, several.time_per_token_ms, several.tpot_ms
        );
    }
    for paced in &results.paced {
        let _ = writeln!(
            out,
            "| Poisson arrivals, {} | delivered of the asked rate | {:.2} % |\n\
             | | dispatch lag in ms, p50 / p99 / max | {} |\n\
             | | as they arrive: index of dispersion; Kolmogorov-Smirnov distance × √n | {:.3}; {:.2} |",
            paced.name(),
            paced.delivered * 100.0,
            spread(paced.lag),
            paced.arrivals.dispersion,
            paced.arrivals.distance,
        );
    }
    out
}

/// One target: what it is, what was measured, and whether that is enough.
struct Target {
    name: String,
    asked: String,
    got: String,
    holds: bool,
}

fn targets(results: &Results) -> String {
    let mut all = Vec::new();
    for cell in &results.cells {
        if cell.itl_ms == 5 {
            error_targets(cell, &mut all);
        }
        cost_targets(cell, &mut all);
    }
    for (what, cell) in &results.large {
        large_targets(what, cell, &mut all);
    }
    if let Some(cell) = &results.saturated
        && let (Some(ours), Some(floor)) = (cell.of(Reader::Native), cell.of(Reader::Floor))
    {
        let share = ours.tokens_per_s / floor.tokens_per_s * 100.0;
        all.push(at_least("tokens/s of the raw reader's, saturated".into(), share, 50.0, " %"));
    }
    if let Some(several) = &results.several {
        let error = (several.time_per_token_ms - several.truth_ms).abs();
        all.push(at_most("error of the time per token, four in a frame".into(), error, 0.05, " ms"));
    }
    results.paced.iter().for_each(|paced| paced_targets(paced, &mut all));
    if let Some(ms) = results.start_up(Reader::Native, |start_up| start_up.to_request_ms) {
        all.push(at_most("from the start of the process to the first request".into(), ms, 50.0, " ms"));
    }
    let mut out =
        String::from("Targets:\n\n| target | asked | measured | holds |\n| --- | --- | --- | --- |\n");
    for Target { name, asked, got, holds } in all {
        let _ = writeln!(out, "| {name} | {asked} | {got} | {} |", if holds { "yes" } else { "**no**" });
    }
    out
}

/// What is asked of the errors, of few cells: the targets are for a server that sends a token every 5 ms.
fn error_targets(cell: &Cell, all: &mut Vec<Target>) {
    let (Some(ours), Some(floor)) = (cell.of(Reader::Native), cell.of(Reader::Floor)) else { return };
    let name = |what: &str| format!("{what}, {}", cell.name());
    let limits = match cell.streams {
        64 => Some((0.1, 0.5)),
        256 => Some((0.2, 2.0)),
        _ => None,
    };
    if let Some((p50, p99)) = limits {
        let beyond = |of: fn(&Errors) -> f64| of(&ours.errors) - of(&floor.errors);
        let name = |what| name(&format!("error of TTFT, {what}, beyond the raw reader's"));
        all.push(at_most(name("p50"), beyond(|errors| errors.ttft.p50), p50, " ms"));
        all.push(at_most(name("p99"), beyond(|errors| errors.ttft.p99), p99, " ms"));
    }
    if cell.streams == 64 {
        all.push(at_most(name("ITL error p99"), ours.errors.itl.p99, 0.5, " ms"));
    }
}

/// What is asked of every cell.
fn cost_targets(cell: &Cell, all: &mut Vec<Target>) {
    let (Some(ours), Some(floor)) = (cell.of(Reader::Native), cell.of(Reader::Floor)) else { return };
    let name = |what: &str| format!("{what}, {}", cell.name());
    let delivered = ours.delivered / floor.delivered * 100.0;
    all.push(at_least(name("load delivered, of the raw reader's"), delivered, 98.0, " %"));
    all.push(at_most(name("CPU a token, of the raw reader's"), ours.cpu_us / floor.cpu_us, 2.0, " ×"));
    if let Some(plugin) = cell.of(Reader::Plugin) {
        let times = plugin.cpu_us / floor.cpu_us;
        all.push(at_most(name("CPU a token with a WASM API, of the raw reader's"), times, 2.5, " ×"));
    }
    if cell.streams == 256 {
        all.push(at_most(name("peak memory"), ours.rss_mib, 60.0, " MiB"));
    }
}

/// What is long must not slow the reader down, nor make first tokens late.
fn large_targets(what: &str, cell: &Cell, all: &mut Vec<Target>) {
    let (Some(ours), Some(floor)) = (cell.of(Reader::Native), cell.of(Reader::Floor)) else { return };
    let name = |figure: &str| format!("{figure} the raw reader's, {} streams, {what}", cell.streams);
    let beyond = |of: fn(&Errors) -> f64| of(&ours.errors) - of(&floor.errors);
    let delivered = ours.delivered / floor.delivered * 100.0;
    all.push(at_least(name("load delivered, of"), delivered, 98.0, " %"));
    all.push(at_most(name("error of TTFT, p50, beyond"), beyond(|errors| errors.ttft.p50), 0.5, " ms"));
    all.push(at_most(name("error of TTFT, p99, beyond"), beyond(|errors| errors.ttft.p99), 2.0, " ms"));
}

/// What is asked of a schedule.
fn paced_targets(paced: &Paced, all: &mut Vec<Target>) {
    let name = |what: &str| format!("{what}, {}", paced.name());
    match (paced.asked_rps, paced.workers) {
        (5000, None) => {
            all.push(at_least(name("delivered"), paced.delivered * 100.0, 99.5, " %"));
            all.push(at_most(name("dispatch lag p99"), paced.lag.p99, 0.3, " ms"));
        }
        (_, Some(_)) => {
            let off = (paced.arrivals.dispersion - 1.0).abs();
            all.push(at_most(name("index of dispersion, off 1 by"), off, 0.05, ""));
            // At high rates a core cannot send as close together as some arrivals are.
            if paced.asked_rps <= 500 {
                let distance = paced.arrivals.distance;
                all.push(at_most(name("Kolmogorov-Smirnov distance × √n"), distance, 1.63, ""));
            }
        }
        _ => {}
    }
}

fn at_most(name: String, got: f64, limit: f64, unit: &str) -> Target {
    Target { name, asked: format!("≤ {limit}{unit}"), got: format!("{got:.2}{unit}"), holds: got <= limit }
}

fn at_least(name: String, got: f64, limit: f64, unit: &str) -> Target {
    Target { name, asked: format!("≥ {limit}{unit}"), got: format!("{got:.2}{unit}"), holds: got >= limit }
}

/// A figure, and how many times the raw reader's it is.
fn beside(cell: &Cell, reader: Reader, of: fn(&Figures) -> f64, places: usize) -> String {
    let own = cell.of(reader).map_or(f64::NAN, of);
    match cell.of(Reader::Floor).map(of) {
        Some(floor) if reader != Reader::Floor => format!("{own:.places$} ({:.2} ×)", own / floor),
        _ => format!("{own:.places$}"),
    }
}

fn spread(spread: Spread) -> String {
    format!("{:.2} / {:.2} / {:.2}", spread.p50, spread.p99, spread.max)
}
