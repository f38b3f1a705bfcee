//! Plugins that take what they can get: time, stack, memory, the log.

use super::{REQUESTS, fails_in, fails_in_next, fails_in_open, misdeed, plugged, told_apart};

#[test]
fn never_returns() {
    let told = |time: &str, at: &str| {
        format!(
            "the plugin \"misbehave\" ran longer than {time} s in \"{at}\"; raise --plugin-timeout or fix the loop"
        )
    };
    for how in ["computing", "asleep"] {
        fails_in("parse", "never_returns", how, &told("0.2", "parse"));
        fails_in("shape", "never_returns", how, &told("0.2", "shape"));
    }
    // These may take ten times as long.
    fails_in_next("never_returns", "computing", &told("2", "next"));
    fails_in_open("never_returns", "asleep", &told("2", "open"));
}

#[test]
fn deep_recursion() {
    let told = |at: &str| {
        format!("the plugin \"misbehave\" crashed in \"{at}\": call stack exhausted; mend the plugin")
    };
    fails_in("parse", "deep_recursion", "", &told("parse"));
    fails_in("shape", "deep_recursion", "", &told("shape"));
    fails_in_next("deep_recursion", "", &told("next"));
    fails_in_open("deep_recursion", "", &told("open"));
}

#[test]
fn memory_growth() {
    let told = |at: &str| {
        format!(
            "the plugin \"misbehave\" asked for more than 256 MiB of memory in \"{at}\"; raise --plugin-memory or fix \
             the leak"
        )
    };
    fails_in("parse", "memory_growth", "", &told("parse"));
    fails_in("shape", "memory_growth", "", &told("shape"));
    fails_in_next("memory_growth", "", &told("next"));
    fails_in_open("memory_growth", "", &told("open"));
}

#[test]
fn slow_leak() {
    let run = plugged("api", &misdeed("slow_leak", "", "parse", 1), 400).ended(0);
    let (good, bad) = told_apart(&run);
    assert_eq!((good.len(), bad.len()), (400, 0), "an instance of 256 MiB keeps a MiB of each call");
}

#[test]
fn trap_at_nth_call() {
    let told = |at: &str| {
        format!(
            "the plugin \"misbehave\" crashed in \"{at}\": wasm `unreachable` instruction executed (it said: panicked at \
             trap_at_nth_call.rs:11:9: told to); mend the plugin"
        )
    };
    fails_in("parse", "trap_at_nth_call", "", &told("parse"));
    fails_in("shape", "trap_at_nth_call", "", &told("shape"));
    fails_in_next("trap_at_nth_call", "", &told("next"));
    fails_in_open("trap_at_nth_call", "", &told("open"));
}

#[test]
fn log_flood() {
    let run = plugged("api", &misdeed("log_flood", "", "parse", 1), REQUESTS).ended(0);
    let (good, bad) = told_apart(&run);
    assert_eq!((good.len(), bad.len()), (REQUESTS, 0));
    let log = std::fs::read_to_string(run.path().join("benchmark.log")).unwrap();
    let written = log.lines().filter(|line| line.contains("plugin \"misbehave\""));
    let written: Vec<&str> = written.collect();
    assert!(written[0].ends_with("info: plugin \"misbehave\": line 0"), "{}", written[0]);
    let told = "warn: plugin \"misbehave\" writes too much: what exceeds 1000 lines at once and 10 a second is dropped";
    assert_eq!(written.iter().filter(|line| line.ends_with(told)).count(), 1);
    // The calls write 105,000 lines.
    assert!((1_001..1_600).contains(&written.len()), "{} lines", written.len());
    assert!(!run.stdout().contains("line 0"), "{}", run.stdout());
}
