//! Load models: open loops, several servers, retries, goodput, and the search for an SLA.

use sha2::{Digest, Sha256};
use tickrate::record::RequestRecord;
use tickrate::sim::SimSpec;

use crate::raw_server::RawServer;
use crate::running::{Run, chat, data, failure, perf, sim, tickrate};

#[test]
fn an_open_loop_over_two_servers_counts_goodput_and_retries() {
    let slow = SimSpec { ttft: "30".parse().unwrap(), ..SimSpec::default() };
    let broken = SimSpec { faults: vec!["http_503:1".parse().unwrap()], ..SimSpec::default() };
    let (good, bad) = (sim(slow), sim(broken));
    let (first, second) = (chat(&good.url()), chat(&bad.url()));
    let run = perf(
        &first,
        &[
            "--url",
            &second,
            "--prompt",
            "hi",
            "--open-loop",
            "--rate",
            "100",
            "--number",
            "20",
            "--max-tokens",
            "4",
            "--no-test-connection",
            "--retries",
            "1",
            "--goodput",
            "ttft:10000",
            "latency:1",
            "--seed",
            "3",
        ],
    );
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    // The connection test asks the second server as well.
    let strange = sim(SimSpec { faults: vec!["http_404:1".parse().unwrap()], ..SimSpec::default() });
    let tested = perf(&first, &["--url", &chat(&strange.url()), "--prompt", "hi", "--number", "1"]);
    assert_eq!(tested.code(), Some(3), "{}", tested.printed());
    assert!(
        tested.stderr().contains(&format!("test at \"{}\" failed", strange.url())),
        "{}",
        tested.printed()
    );
    let records = run.records();
    let (ok, failed): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.ok());
    assert_eq!((ok.len(), failed.len()), (10, 20), "half go to each server, and each failure is tried twice");
    assert_eq!(failed.iter().filter(|record| record.key.attempt == 2).count(), 10);
    for record in &records {
        let target = &record.labels.iter().find(|(name, _)| name == "target").unwrap().1;
        assert_eq!(target, if record.ok() { good.url() } else { bad.url() }.as_str());
    }
    let summary = run.json("rate_100_number_20/summary.json");
    assert_eq!(summary["Good Requests (%)"], 0.0, "no request is done within a millisecond");
    assert_eq!(summary["Concurrency"], serde_json::Value::Null);
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_not_asked_again_at_once() {
    let full = sim(SimSpec { faults: vec!["http_429:1".parse().unwrap()], ..SimSpec::default() });
    let flags = ["--prompt", "hi", "--number", "1", "--no-test-connection", "--retries", "1"];
    let run = perf(&chat(&full.url()), &flags);
    let records = run.records();
    assert_eq!(records.iter().map(|record| record.key.attempt).collect::<Vec<_>>(), [1, 2]);
    let waited = records[1].due - records[0].closed;
    assert!(waited.as_ms() >= 1000.0, "its Retry-After is 1 s, and the wait {} ms", waited.as_ms());
}

/// The simulator has 6 slots; the seventh request waits for one, so that the TTFT doubles there.
#[test]
fn sla_auto_tune_finds_the_number_of_slots() {
    let server = sim(SimSpec {
        ttft: "200".parse().unwrap(),
        itl: "5".parse().unwrap(),
        slots: 6,
        ..SimSpec::default()
    });
    let run = perf(
        &chat(&server.url()),
        &[
            "--prompt",
            "hi",
            "--max-tokens",
            "40",
            "--sla-auto-tune",
            "--sla-params",
            "[{\"p99_ttft\": \"<=350ms\"}]",
            "--sla-num-runs",
            "1",
            "--parallel",
            "2",
            "--sla-number-multiplier",
            "3",
            "--sla-upper-bound",
            "32",
        ],
    );
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let found = run.json("sla_summary.json");
    assert_eq!(found["answers"][0]["best"], 6, "{}", run.printed());
    assert!(run.stdout().contains("SLA Auto-tune Summary:"), "{}", run.stdout());
    assert!(run.path().join("sla_parallel_8_run_1/requests.parquet").exists());
    // The page has the answer, and is the same when it is made again.
    let page = run.path().join("report.html");
    let written = std::fs::read_to_string(&page).unwrap();
    let row = "<th scope=\"row\">p99_ttft &lt;=350ms</th><td class=\"text\">parallel</td><td>6</td>";
    assert!(written.contains(row), "the answer is not on the page");
    let again = tickrate(run.folder.path(), "report outputs/run").output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(std::fs::read_to_string(&page).unwrap() == written, "the page is not what the run had written");
}

fn quick(ttft: &str) -> SimSpec {
    SimSpec { ttft: ttft.parse().unwrap(), itl: "0".parse().unwrap(), ..SimSpec::default() }
}

/// A run of short requests on a simulator.
fn short(spec: SimSpec, flags: &str) -> Run {
    let flags = format!("--prompt hi --max-tokens 2 --no-test-connection --seed 3 {flags}");
    perf(&chat(&sim(spec).url()), &flags).ended(0)
}

/// When the requests were due, in seconds from the first that could have been.
fn due_s(run: &Run) -> Vec<f64> {
    let started_ns = run.json("run.json")["stages"][0]["end"]["started_ns"].as_i64().unwrap();
    let mut due: Vec<f64> =
        run.records().iter().map(|record| (record.due.0 - started_ns) as f64 / 1e9).collect();
    due.sort_by(f64::total_cmp);
    due
}

#[test]
fn rates_change_in_ramps_and_in_steps() {
    let steps = short(quick("1"), "--open-loop --arrival constant --steps 20:1 80:1 --number 80");
    let due = due_s(&steps);
    let first = due.iter().filter(|&&at| at < 1.0).count();
    assert!((19..=21).contains(&first), "{first} in the first second of 20 a second");
    assert!((due[79] - 1.75).abs() < 0.05, "{}", due[79]);
    assert!(steps.path().join("steps_2_number_80").exists());
    let ramp = short(quick("1"), "--open-loop --arrival constant --ramp 10:90:1 --number 50");
    let due = due_s(&ramp);
    // The rate reaches 50 in the middle of a second that sees 50: 15 come before it.
    let early = due.iter().filter(|&&at| at < 0.5).count();
    assert!((14..=16).contains(&early), "{early}");
    assert!((due[49] - 1.0).abs() < 0.05, "{}", due[49]);
}

#[test]
fn what_a_full_client_does_not_send_is_a_row() {
    let flags = "--open-loop --rate 100 --arrival constant --max-concurrency 2 --workers 1 --number 20";
    let run = short(quick("600"), flags);
    let (sent, shed): (Vec<RequestRecord>, Vec<_>) =
        run.records().into_iter().partition(|r| r.sent.is_some());
    assert_eq!((sent.len(), shed.len()), (2, 18));
    assert!(shed.iter().all(|record| failure(record).0 == "shed" && record.status.is_none()));
    let summary = run.json("rate_100_number_20/summary.json");
    assert_eq!(summary["Errors"]["shed"]["count"], 18);
}

#[test]
fn waiting_for_a_slot_shows_from_the_due_moment_and_not_from_the_send() {
    // One slot of 100 ms, and a request every 20 ms: the last waits for most of a second.
    let run = short(quick("100"), "--rate 50 --parallel 1 --number 10 --goodput latency:250");
    let last = run.records().into_iter().max_by_key(|record| record.due).unwrap();
    assert!(last.latency_ms.unwrap() < 250.0, "{:?}", last.latency_ms);
    assert!(last.latency_from_due_ms().unwrap() > 500.0, "{:?}", last.latency_from_due_ms());
    let summary = run.json("parallel_1_number_10/summary.json");
    let [sent, due] =
        ["Goodput (req/s)", "Goodput from due (req/s)"].map(|name| summary[name].as_f64().unwrap());
    assert!(due < sent / 2.0, "{due} of {sent}");
}

#[test]
fn a_duration_starts_nothing_more_and_finishes_what_it_began() {
    let run = short(quick("80"), "--parallel 2 --number 10000 --duration 0.5");
    let records = run.records();
    assert!((6..40).contains(&records.len()) && records.iter().all(RequestRecord::ok), "{}", records.len());
    assert_eq!(run.json("run.json")["stages"][0]["end"]["reason"], "duration");
}

/// `test_open_loop_strategy.py`: two arrivals, the second after the half second that there is for them.
#[test]
fn an_open_loop_starts_nothing_after_its_duration() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let line = |at: u32| {
        format!(
            "{{\"timestamp\": {at}, \"body\": {{\"model\": \"m\", \"messages\": [{{\"role\": \"user\", \"content\": \"hi\"}}]}}}}\n"
        )
    };
    std::fs::write(&trace, line(0) + &line(1)).unwrap();
    let trace = format!("--dataset workload_trace --dataset-path {}", trace.display());
    for arrivals in ["--prompt hi --rate 2.5 --arrival constant --number 2", &trace] {
        let flags = format!("--open-loop --duration 0.5 --max-tokens 2 --no-test-connection {arrivals}");
        let run = perf(&chat(&sim(quick("1")).url()), &flags).ended(0);
        assert_eq!(run.records().len(), 1, "{arrivals}: {}", run.printed());
    }
}

#[test]
fn impatient_users_are_rows_of_their_own_kind() {
    let flags = "--prompt hi --no-test-connection --seed 3 --parallel 12 --number 12 --cancel-rate 0.5 \
                 --cancel-after 0.1 --total-timeout 0.4";
    let run = perf(&chat(&sim(quick("2000")).url()), flags).ended(4);
    let kinds: Vec<&str> = run.records().iter().map(|record| failure(record).0).collect();
    assert!(kinds.contains(&"cancelled") && kinds.contains(&"total_timeout"), "{kinds:?}");
}

#[test]
fn gamma_arrivals_are_as_bursty_as_asked_for() {
    let spread = |burstiness: &str| {
        let flags = format!("--open-loop --rate 400 --arrival gamma --burstiness {burstiness} --number 400");
        let due = due_s(&short(quick("1"), &flags));
        let gaps: Vec<f64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        variance / (mean * mean)
    };
    // The squared coefficient of variation of gamma-distributed gaps is 1 / shape.
    let (bursty, regular) = (spread("0.25"), spread("4"));
    assert!((2.5..6.5).contains(&bursty) && (0.17..0.36).contains(&regular), "{bursty} {regular}");
}

/// The bodies that a server hears, in the order of their conversations.
fn bodies(flags: &str) -> Vec<String> {
    let server = RawServer::kind();
    let run = perf(&chat(&server.url()), flags).ended(0);
    assert!(!run.records().is_empty());
    let mut bodies: Vec<String> =
        server.heard().iter().map(|heard| String::from_utf8_lossy(&heard.body).into_owned()).collect();
    bodies.sort();
    bodies
}

#[test]
fn a_seed_makes_the_same_requests_whoever_sends_them() {
    let tokenizer = data("tokenizer").display().to_string();
    let random = format!("--tokenizer-path {tokenizer} --min-prompt-length 50 --max-prompt-length 70");
    // What each is on every machine: the first digits of the SHA-256 of its bodies.
    for (dataset, digest) in [
        (format!("--dataset random {random} --max-tokens 5 50"), "d42a83d680cfc374"),
        (
            format!("--dataset random_multi_turn --multi-turn --min-turns 2 --max-turns 3 {random}"),
            "7225b5f3d376440c",
        ),
        (format!("--dataset openqa --dataset-path {}", data("openqa.jsonl").display()), "0307b76b937c39b5"),
    ] {
        let with = |workers: &str, seed: u32| {
            let load =
                format!("--no-test-connection --no-stream --parallel {workers} --number 12 --seed {seed}");
            bodies(&format!("{dataset} {load}"))
        };
        let one = with("1 --workers 1", 7);
        assert_eq!(one, with("6 --workers 3", 7), "{dataset}");
        assert!(one.len() >= 12);
        let all: String = Sha256::digest(one.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(all[..16], *digest, "{dataset}");
        if dataset.contains("random") {
            assert_ne!(one, with("1 --workers 1", 8), "{dataset}");
        }
    }
}

#[test]
fn sla_auto_tune_searches_for_each_group_and_says_how_it_goes() {
    let server = sim(SimSpec {
        ttft: "50".parse().unwrap(),
        itl: "2".parse().unwrap(),
        slots: 4,
        ..SimSpec::default()
    });
    let params =
        r#"[{"p99_ttft": "<=90ms", "avg_latency": "<=10s"}, {"p99_ttft": "<=0.001"}, {"tps": "max"}]"#;
    let flags = [
        "--prompt",
        "hi",
        "--max-tokens",
        "10",
        "--sla-auto-tune",
        "--sla-params",
        params,
        "--sla-num-runs",
        "1",
        "--parallel",
        "1",
        "--sla-number-multiplier",
        "4",
        "--sla-upper-bound",
        "8",
        "--no-test-connection",
    ];
    let run = perf(&chat(&server.url()), &flags).ended(0);
    let found = run.json("sla_summary.json");
    let best: Vec<&serde_json::Value> =
        found["answers"].as_array().unwrap().iter().map(|answer| &answer["best"]).collect();
    assert_eq!(*best[0], 4, "{}", run.printed());
    assert_eq!(*best[1], serde_json::Value::Null, "nothing answers within a microsecond");
    assert!(best[2].as_u64() >= Some(4), "{}", run.printed());
    let said = run.stdout();
    assert!(
        said.contains("note: --sla-params: "),
        "a bare number is read as seconds, and said to be: {said}"
    );
    assert!(said.contains("p99_ttft") && said.contains("None"), "{said}");
    // Each step, while it goes on; then everything that was tried, and the answers.
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no \"{text}\" in\n{said}"));
    let first = at("SLA: parallel 1, run 1 of 1: 4 of 4 requests succeeded; p99_ttft ");
    let step = at("p99_ttft <=90ms and avg_latency <=10s: parallel 8 fails (p99_ttft ");
    let (tried, answers) = (at("SLA Auto-tune Search:"), at("SLA Auto-tune Summary:"));
    assert!(first < step && step < tried && tried < answers, "{said}");
    assert!(said.contains("p99_ttft <=0.001s: parallel 1 fails"), "{said}");
    let measured = found["measured"].as_array().unwrap();
    assert_eq!(measured.len(), found["order"].as_array().unwrap().len());
    assert_eq!((&measured[0]["load"], &measured[0]["criteria"][0]["unit"]), (&1.into(), &"ms".into()));
}

#[test]
fn the_rate_of_an_open_loop_is_searched_for_and_lost_requests_fail_a_load() {
    // A server of two slots answers 20 requests a second.
    let spec = SimSpec { slots: 2, ..quick("100") };
    let params = r#"[{"p99_ttft": "<=400ms", "rps": ">0.1"}]"#;
    let flags = format!(
        "--prompt hi --max-tokens 2 --no-test-connection --seed 3 --arrival constant --rate 8 --sla-auto-tune \
         --sla-variable rate --sla-num-runs 1 --sla-number-multiplier 2 --sla-lower-bound 4 --sla-upper-bound 64 \
         --sla-params {}",
        params.replace(' ', "")
    );
    let run = perf(&chat(&sim(spec).url()), &flags).ended(0);
    let found = run.json("sla_summary.json");
    let best = found["answers"][0]["best"].as_u64().unwrap();
    assert!((16..=28).contains(&best), "{}", run.stdout());
    let broken = SimSpec { faults: vec!["http_503:0.5".parse().unwrap()], ..quick("1") };
    let run = perf(&chat(&sim(broken).url()), &flags).ended(0);
    let found = run.json("sla_summary.json");
    assert_eq!(found["answers"][0]["best"], serde_json::Value::Null, "{}", run.stdout());
    assert!(run.stdout().contains(" fails, as requests failed"), "{}", run.stdout());
}
