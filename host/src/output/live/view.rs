//! What `--live` draws, from nothing but a picture of the run.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph};

use super::{Phase, Picture, Point, Spread, StageProgress};
use crate::units::{ABSENT, decimal, grouped};

/// How many seconds a chart shows.
const CHART_S: usize = 120;
/// In fewer columns than this, the figures are in one box rather than in three,
const THREE_BOXES: u16 = 78;
/// and in fewer than this there is one chart rather than two.
const TWO_CHARTS: u16 = 60;
/// A chart of fewer rows shows nothing.
const LEAST_CHART: u16 = 6;

pub(super) fn draw(frame: &mut Frame<'_>, picture: &Picture) {
    let area = frame.area();
    let wide = area.width >= THREE_BOXES;
    // What there is no room for is left out, the charts first: a figure says more than half a chart.
    let (head, keys) = (3, 1);
    let figures = if wide { 7 } else { 10 };
    let rest = area.height.saturating_sub(head + figures + keys);
    let (charts, below) = match rest {
        rest if rest >= LEAST_CHART + 4 => (rest - 4, 4),
        rest if rest >= LEAST_CHART => (rest, 0),
        rest => (0, rest.min(4)),
    };
    let rows = [head, figures, charts, below, keys].map(Constraint::Length);
    let [head, figures, charts, below, keys] = Layout::vertical(rows).areas(area);
    draw_head(frame, head, picture);
    if wide {
        draw_figures(frame, figures, picture)
    } else {
        draw_narrow_figures(frame, figures, picture)
    }
    if charts.height > 0 {
        draw_charts(frame, charts, picture);
    }
    if below.height > 2 {
        draw_below(frame, below, picture);
    }
    let help = if wide {
        "q: leave this view, the run goes on   Ctrl-C: finish what is in flight and stop"
    } else {
        "q: leave   Ctrl-C: stop gently"
    };
    frame.render_widget(Paragraph::new(help).style(Style::new().add_modifier(Modifier::DIM)), keys);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let Some(stage) = &picture.snapshot.stage else {
        frame.render_widget(Paragraph::new("waiting for the first stage").block(Block::bordered()), area);
        return;
    };
    let place = picture.snapshot.stages.map_or_else(String::new, |of| format!(" ({}/{of})", stage.index + 1));
    let phase = match stage.phase {
        Phase::Warmup => "warming up",
        Phase::Measuring => "measuring",
        Phase::Finished => "finished",
    };
    let eta =
        stage.eta_s.map(|s| format!("  ETA {}", super::super::progress::seconds(s))).unwrap_or_default();
    let mut title = format!(" tickrate  {}{place}  {phase} ", stage.name);
    if title.chars().count() > usize::from(area.width.saturating_sub(2)) {
        title = format!(" {}{place} ", stage.name);
    }
    let label = format!(
        "{}/{}  {}{eta}",
        grouped(stage.settled),
        grouped(stage.number),
        super::super::progress::seconds(stage.elapsed_s)
    );
    let gauge = Gauge::default()
        .block(Block::bordered().title(title))
        .gauge_style(Style::new().fg(Color::Blue))
        .ratio(stage.done_ratio.clamp(0.0, 1.0))
        .label(label);
    frame.render_widget(gauge, area);
}

fn number(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| ABSENT.to_string(), |value| decimal(value, places))
}

/// The rows of a stage's times: a name, and three columns.
fn times(stage: &StageProgress) -> [(&'static str, String); 5] {
    let spread = |spread: Option<Spread>| {
        spread.map_or_else(
            || ABSENT.to_string(),
            |s| format!("{:>8}{:>8}{:>8}", decimal(s.p50, 1), decimal(s.p90, 1), decimal(s.p99, 1)),
        )
    };
    [
        ("ms", format!("{:>8}{:>8}{:>8}", "p50", "p90", "p99")),
        ("TTFT", spread(stage.ttft_ms)),
        ("TPOT", spread(stage.tpot_ms)),
        ("ITL", spread(stage.itl_ms)),
        ("latency", spread(stage.latency_ms)),
    ]
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let [left, middle, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(34), Constraint::Fill(1)]).areas(area);
    let stage = picture.snapshot.stage.clone().unwrap_or_default();
    let load = [
        ("in flight", grouped(stage.in_flight)),
        ("requests/s", number(stage.request_rps, 2)),
        ("output tok/s", number(stage.output_tps, 1)),
        ("total tok/s", number(stage.total_tps, 1)),
    ];
    table(frame, left, Some(" Load "), 13, load);
    table(frame, middle, Some(" Times "), 8, times(&stage));
    let client = picture.snapshot.client;
    let health = [
        ("failed", grouped(stage.failed)),
        ("client CPU %", number(client.cpu_percent, 0)),
        ("loop lag ms", number(client.loop_lag_ms, 2)),
    ];
    table(frame, right, Some(" Errors and client "), 13, health);
}

/// The same in one box, what matters most first; where rows are missing, without the box's own two.
fn draw_narrow_figures(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let stage = picture.snapshot.stage.clone().unwrap_or_default();
    let client = picture.snapshot.client;
    let rates = format!("{} req/s, {} tok/s", number(stage.request_rps, 1), number(stage.output_tps, 0));
    let (cpu, lag) = (number(client.cpu_percent, 0), number(client.loop_lag_ms, 1));
    let rows = [
        ("load", format!("{} in flight, {} failed", grouped(stage.in_flight), grouped(stage.failed))),
        ("rate", rates),
        ("client", format!("CPU {cpu} %, lag {lag} ms")),
    ];
    let [rows, times] = [rows.to_vec(), times(&stage).to_vec()];
    let rows: Vec<_> = rows.into_iter().chain(times).collect();
    let title = (usize::from(area.height) >= rows.len() + 2).then_some("");
    table(frame, area, title, 8, rows);
}

/// Names, in `width` columns, and values; in a box if there is a title.
fn table<'a>(
    frame: &mut Frame<'_>,
    area: Rect,
    title: Option<&str>,
    width: usize,
    rows: impl IntoIterator<Item = (&'a str, String)>,
) {
    let lines: Vec<Line<'_>> =
        rows.into_iter().map(|(name, value)| Line::from(format!("{name:<width$}{value}"))).collect();
    let text = Paragraph::new(lines);
    let text = match title {
        Some(title) => text.block(Block::bordered().title(title.to_string())),
        None => text,
    };
    frame.render_widget(text, area);
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let [left, right] = beside(area);
    // The second that is not over yet would look like a fall.
    let over = picture.snapshot.stage.as_ref().is_none_or(|stage| stage.phase == Phase::Finished);
    let series = match picture.series.split_last() {
        Some((_, whole)) if !over && !whole.is_empty() => whole,
        _ => &picture.series,
    };
    let shown = &series[series.len().saturating_sub(CHART_S)..];
    let points = |of: &dyn Fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
        shown.iter().filter_map(|point| Some((point.at_s as f64, of(point)?))).collect()
    };
    let tokens = points(&|point| Some(point.output_tokens));
    chart(frame, left, "Output", &[("tok/s", Color::Green, &tokens)]);
    let (p50, p99) = (points(&|p| Some(p.ttft_ms?[0])), points(&|p| Some(p.ttft_ms?[1])));
    if right.width > 0 {
        chart(frame, right, "TTFT ms", &[("p50", Color::Cyan, &p50), ("p99", Color::Red, &p99)]);
    }
}

/// Two halves, of which the second is empty if there is room for one only.
fn beside(area: Rect) -> [Rect; 2] {
    let second = if area.width >= TWO_CHARTS { Constraint::Fill(1) } else { Constraint::Length(0) };
    Layout::horizontal([Constraint::Fill(1), second]).areas(area)
}

/// A line of a chart: its name, its colour and its points.
type Curve<'a> = (&'a str, Color, &'a [(f64, f64)]);

fn chart(frame: &mut Frame<'_>, area: Rect, title: &str, lines: &[Curve<'_>]) {
    let all = || lines.iter().flat_map(|(_, _, points)| points.iter());
    let from = all().map(|point| point.0).fold(f64::INFINITY, f64::min).min(1e12);
    let until = all().map(|point| point.0).fold(1.0, f64::max).max(from + 1.0);
    let most = all().map(|point| point.1).fold(0.0, f64::max).max(1e-9) * 1.1;
    let datasets = lines.iter().map(|(_, colour, points)| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(*colour))
            .data(points)
    });
    let from = if from.is_finite() { from } else { 0.0 };
    let label = |value: f64| Span::raw(decimal(value, usize::from(most < 10.0)));
    let x = Axis::default().bounds([from, until]).labels([format!("{from} s"), format!("{until} s")]);
    let y = Axis::default().bounds([0.0, most]).labels([label(0.0), label(most / 2.0), label(most)]);
    // The names stand in the title, each in its colour: a legend would lie over the newest points.
    let names =
        lines.iter().map(|(name, colour, _)| Span::styled(format!("{name} "), Style::new().fg(*colour)));
    let title: Vec<Span<'_>> = [Span::raw(format!(" {title} "))].into_iter().chain(names).collect();
    let chart = Chart::new(datasets.collect()).block(Block::bordered().title(Line::from(title)));
    frame.render_widget(chart.x_axis(x).y_axis(y), area);
}

fn draw_below(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    // Failures are what a small screen keeps.
    let [right, left] = beside(area);
    let finished = picture
        .finished
        .iter()
        .rev()
        .map(|stage| Line::from(format!("{}  {}", stage.name, super::super::progress::figures(stage))));
    let block = Block::bordered().title(" Finished ");
    if left.width > 0 {
        frame.render_widget(Paragraph::new(finished.collect::<Vec<_>>()).block(block), left);
    }
    let errors = picture.snapshot.stage.iter().flat_map(|stage| &stage.errors);
    let errors = errors.map(|(kind, count)| Line::from(format!("{count} × {kind}")));
    let warnings = picture.warnings.iter().rev().map(|text| Line::from(text.as_str()));
    let block = Block::bordered().title(" Failures and warnings ");
    frame.render_widget(Paragraph::new(errors.chain(warnings).collect::<Vec<_>>()).block(block), right);
}

#[cfg(test)]
mod tests {
    use super::super::Snapshot;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(picture: &Picture, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, picture)).unwrap();
        terminal.backend().to_string()
    }

    fn picture() -> Picture {
        let spread =
            |p50: f64| Some(Spread { count: 9, mean: p50, p50, p90: 2.0 * p50, p99: 3.0 * p50, max: 99.0 });
        let stage = StageProgress {
            name: "parallel_8_number_60".into(),
            index: 1,
            number: 60,
            phase: Phase::Measuring,
            elapsed_s: 65.0,
            done_ratio: 0.75,
            eta_s: Some(21.7),
            settled: 45,
            failed: 2,
            errors: std::collections::BTreeMap::from([("http_status", 2)]),
            in_flight: 8,
            output_tps: Some(1234.5),
            ttft_ms: spread(21.0),
            ..StageProgress::default()
        };
        let point = |at_s| Point {
            at_s,
            succeeded: 1,
            failed: 0,
            output_tokens: at_s as f64 * 10.0,
            in_flight: Some(8),
            ttft_ms: Some([20.0, 60.0]),
            itl_ms: None,
            loop_lag_ms: None,
        };
        Picture {
            snapshot: Snapshot { stages: Some(5), stage: Some(stage.clone()), ..Snapshot::default() },
            series: (0..40).map(point).collect(),
            finished: vec![StageProgress { name: "parallel_1_number_10".into(), ..stage }],
            warnings: vec!["the output \"x\" failed".into()],
        }
    }

    #[test]
    fn a_drawing_has_the_figures_the_charts_and_what_went_wrong() {
        let text = drawn(&picture(), 110, 30);
        for told in [
            "parallel_8_number_60 (2/5)  measuring",
            "45/60  1:05  ETA 22 s",
            "in flight    8",
            "output tok/s 1234.5",
            "TTFT          21      42      63",
            "failed       2",
            "Output tok/s",
            "parallel_1_number_10  1234 tok/s",
            "2 × http_status",
            "q: leave this view",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
    }

    #[test]
    fn a_small_terminal_shows_every_figure_whole() {
        for (width, height) in [(80, 24), (78, 11), (60, 20), (40, 14)] {
            let text = drawn(&picture(), width, height);
            let lines: Vec<&str> = text.lines().collect();
            for told in ["45/60  1:05  ETA 22 s", "TTFT          21      42      63", "latency", "1234"] {
                assert!(text.contains(told), "{width}×{height}, {told}\n{text}");
            }
            let failed = if width < THREE_BOXES { "8 in flight, 2 failed" } else { "failed       2" };
            assert!(text.contains(failed) && lines.last().unwrap().contains("q: leave"), "{text}");
            // Whatever begins a box has room to end it.
            let (begun, ended) = (text.matches('┌').count(), text.matches('└').count());
            assert!(ended >= begun, "{width}×{height}\n{text}");
        }
        // The chart of a narrow one is the throughput's, and it has the failures.
        let narrow = drawn(&picture(), 40, 30);
        assert!(narrow.contains("Output tok/s") && !narrow.contains("TTFT ms"), "{narrow}");
        assert!(narrow.contains("2 × http_status") && !narrow.contains("Finished"), "{narrow}");
    }

    #[test]
    fn where_rows_are_missing_the_box_goes_before_the_times() {
        let text = drawn(&picture(), 40, 10);
        for told in [
            "parallel_8_number_60 (2/5) ",
            "8 in flight, 2 failed",
            "TTFT          21      42      63",
            "TPOT",
            "q: leave",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
    }

    #[test]
    fn the_curves_are_named_in_the_title_and_nothing_lies_over_them() {
        let text = drawn(&picture(), 200, 40);
        assert!(text.contains(" TTFT ms p50 p99 ") && text.contains(" Output tok/s "), "{text}");
        assert_eq!(text.matches("p99").count(), 2, "the table's and the title's: {text}");
    }

    #[test]
    fn nothing_known_and_hardly_any_room_are_no_reason_to_fail() {
        for (width, height) in [(1, 1), (10, 3), (40, 12), (300, 100)] {
            drawn(&Picture::default(), width, height);
            drawn(&picture(), width, height);
        }
    }
}
