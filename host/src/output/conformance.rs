//! The baseline's own cases about its tables (`test_rich_display.py`), carried over. Where ours differ on
//! purpose, a comment says why.

use super::table::{self, BasicInformation};
use crate::metrics::{StageAccumulator, StageSummary};
use crate::record::{RequestRecord, StageHeader, testing};

fn stage(parallel: Option<u32>, rate_rps: Option<f64>, records: &[RequestRecord]) -> StageSummary {
    let header = StageHeader {
        index: 0,
        name: "stage".into(),
        parallel,
        rate_rps,
        number: records.len() as u64,
        warmup: 0,
        goodput: Vec::new(),
        conversations: false,
        folder: std::env::temp_dir(),
    };
    let mut figures = StageAccumulator::new(&header);
    records.iter().for_each(|record| figures.push(record));
    figures.finish(&header, None).unwrap()
}

fn report(stages: &[StageSummary]) -> String {
    let basic = BasicInformation {
        model: "m".into(),
        dataset: "d".into(),
        api: "openai".into(),
        output_path: "out".into(),
    };
    table::run(&basic, stages)
}

/// The cells of a table's rows, from its title on.
fn rows(report: &str, title: &str) -> Vec<Vec<String>> {
    let table = report.split(title).nth(1).unwrap();
    let lines = table.lines().skip_while(|line| !line.starts_with('│'));
    let lines = lines.take_while(|line| line.starts_with(['│', '╞'])).filter(|line| line.starts_with('│'));
    let cells = |line: &str| line.trim_matches('│').split('┆').map(|cell| cell.trim().to_string()).collect();
    lines.map(cells).collect()
}

fn streams(count: u32) -> Vec<RequestRecord> {
    (0..count).map(|at| testing::streamed(f64::from(at) * 100.0, 50.0, 20.0, 5)).collect()
}

#[test]
fn the_report_has_the_tables_and_the_columns_that_it_has_there() {
    let text = report(&[stage(Some(1), None, &streams(3)), stage(Some(2), None, &streams(3))]);
    for told in
        ["Performance Test Summary Report", "Basic Information:", "Total Generated", "Avg Output Rate"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    let overview = rows(&text, "Performance Overview:");
    for column in ["Conc.", "Rate", "Num", "RPS", "Gen. tok/s", "Success"] {
        assert!(overview[0].iter().any(|cell| cell == column), "{column}: {:?}", overview[0]);
    }
    let requests = rows(&text, "Per-Request Metrics:");
    assert_eq!(requests[0], ["Conc.", "Rate", "Metric", "avg", "p50", "p99", "max"]);
    let metrics: Vec<&str> = requests[1..7].iter().map(|row| row[2].as_str()).collect();
    // ITL is ours.
    assert_eq!(
        metrics,
        ["Latency (s)", "TTFT (ms)", "TPOT (ms)", "ITL (ms)", "Input tokens", "Output tokens"]
    );
}

#[test]
fn rows_are_in_the_order_of_concurrency_and_then_of_rate() {
    let one = |parallel, rate| stage(parallel, rate, &streams(1));
    let text = report(&[
        one(None, Some(5.0)),
        one(Some(10), None),
        one(Some(1), Some(4.0)),
        one(Some(1), Some(2.0)),
        one(None, Some(1.5)),
    ]);
    let loads: Vec<[String; 2]> = rows(&text, "Performance Overview:")[1..]
        .iter()
        .map(|row| [row[0].clone(), row[1].clone()])
        .collect();
    // -1, which stands for no limit there and is shown as -, is INF here.
    assert_eq!(loads, [["1", "2"], ["1", "4"], ["10", "INF"], ["INF", "1.5"], ["INF", "5"]]);
}

#[test]
fn what_was_not_measured_has_no_number() {
    let failed = vec![testing::failed(0.0, 10.0); 3];
    let text = report(&[stage(Some(1), None, &streams(2)), stage(Some(2), None, &failed)]);
    let overview = rows(&text, "Performance Overview:");
    let column = |name: &str| overview[0].iter().position(|cell| cell == name).unwrap();
    for name in ["Avg Lat.(s)", "P99 TTFT(ms)", "Avg TPOT(ms)"] {
        assert_eq!(overview[2][column(name)], "—", "{name}");
    }
    assert_eq!(overview[2][column("Success")], "0 %");
}

#[test]
fn a_time_per_token_of_20_ms_is_50_tokens_a_second_and_seven_tenths_are_70_percent() {
    let percentiles = table::percentiles(&stage(Some(1), None, &streams(3)));
    let decode = percentiles.lines().find(|line| line.contains("Decode (tok/s)")).unwrap();
    assert!(decode.split('┆').skip(1).all(|cell| cell.trim().trim_end_matches(" │") == "50"), "{decode}");
    // Eleven tokens in four frames are 10 ÷ 3 for each iteration, of which seven tenths were guessed.
    let mut guessed = testing::streamed(0.0, 50.0, 20.0, 4);
    guessed.tokens.output = Some(11);
    let table = table::stage(&stage(Some(1), None, &[guessed]));
    let row =
        |name: &str| table.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{table}"));
    assert!(row("Avg Decoded Tokens/Iter").contains(" 3.33 "), "{table}");
    assert!(row("Spec Decode Acceptance (%)").contains(" 70 "), "{table}");
}
