//! Plugins whose answers cannot be.

use super::{REQUESTS, fails_as, fails_in, fails_in_next, fails_in_open, misdeed, plugged, told_apart};

/// The error of an answer that makes no sense.
fn nonsense(at: &str, what: &str) -> String {
    format!(
        "the plugin \"misbehave\" gave an answer in \"{at}\" that makes no sense: {what}; mend the plugin"
    )
}

fn too_much(at: &str) -> String {
    format!(
        "the plugin \"misbehave\" answered with more than 64 MiB in \"{at}\"; make the plugin answer with less"
    )
}

#[test]
fn giant_strings() {
    fails_in("parse", "giant_strings", "", &too_much("parse"));
    fails_in("shape", "giant_strings", "", &too_much("shape"));
    fails_in_next("giant_strings", "", &too_much("next"));
}

#[test]
fn giant_lists() {
    fails_in("parse", "giant_lists", "", &too_much("parse"));
    fails_in("shape", "giant_lists", "", &too_much("shape"));
    fails_in_next("giant_lists", "", &too_much("next"));
}

#[test]
fn endless_conversations() {
    fails_in_next(
        "endless_conversations",
        "",
        &nonsense("next", "it gave 17 conversations when asked for at most 16"),
    );
    fails_in_next("endless_conversations", "huge", &too_much("next"));
}

#[test]
fn conversations_without_turns() {
    let told = nonsense("next", "conversation 0 of the batch has no turns");
    fails_in_next("conversations_without_turns", "", &told);
}

#[test]
fn times_that_are_none() {
    for (how, what) in [
        ("nan_think", "has the think time NaN ms"),
        ("negative_think", "has the think time -1 ms"),
        ("endless_arrival", "arrives at inf ms"),
        ("negative_arrival", "arrives at -0.5 ms"),
    ] {
        let what = format!("conversation 0 of the batch {what}, which is no time");
        fails_in_next("times_that_are_none", how, &nonsense("next", &what));
    }
}

#[test]
fn frame_out_of_range() {
    fails_in(
        "parse",
        "frame_out_of_range",
        "",
        &nonsense("parse", "it names frame 11 of a reply that has 11"),
    );
}

#[test]
fn text_that_is_not_there() {
    let what = "its frames up to 0 bring 5 bytes of text, and the text has 0";
    fails_in("parse", "text_that_is_not_there", "", &nonsense("parse", what));
}

#[test]
fn header_that_is_none() {
    let what = "\"not a header\" cannot be the name of a header";
    fails_in("shape", "header_that_is_none", "", &nonsense("shape", what));
}

#[test]
fn error_of_many_lines() {
    let told = |at: &str| format!("the plugin \"misbehave\" failed in \"{at}\": told to[31m");
    fails_in("parse", "error_of_many_lines", "", &told("parse"));
    // The prompt may be to blame, so it is a failure of the shaping.
    fails_as("shape", "shape", "error_of_many_lines", "", &told("shape"));
    fails_in_next("error_of_many_lines", "", &told("next"));
    fails_in_open("error_of_many_lines", "", "the plugin \"misbehave\" could not be opened: told to[31m");
}

/// A run cannot tell: each answer makes sense. `check` asks twice, and its tests know what it says.
#[test]
fn changing_answers() {
    let run = plugged("api", &misdeed("changing_answers", "", "parse", 1), REQUESTS).ended(0);
    let (good, bad) = told_apart(&run);
    assert_eq!((good.len(), bad.len()), (REQUESTS, 0));
    assert!(good.iter().all(|record| record.labels.iter().any(|(name, _)| name == "call")));
    let plugin = crate::running::guest("misbehave");
    for (role, at, told) in [
        ("api", "shape", "  FAIL  api shape keeps nothing"),
        ("api", "parse", "  FAIL  api parse keeps nothing"),
        ("dataset", "next", "  FAIL  dataset the same for any batches"),
    ] {
        let options = misdeed("changing_answers", "", at, 1).to_string();
        let mut command = crate::running::tickrate(run.folder.path(), "plugin check");
        let output = command.arg(&plugin).args([&format!("--{role}-args"), &options]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(told), "{told}: {said}");
    }
}
