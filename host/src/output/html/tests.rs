//! The page, as text. What a browser makes of it is tested end to end.

use super::*;
use crate::metrics::{ProfileAccumulator, StageAccumulator};
use crate::output::sample;
use crate::record::{StageHeader, testing};

/// The page of stages with these loads, of a run whose names want to break out.
fn page(parallels: &[u32]) -> String {
    let (mut stages, mut profiles) = (Vec::new(), Vec::new());
    for &parallel in parallels {
        let header = StageHeader {
            index: stages.len(),
            name: format!("parallel_{parallel}"),
            parallel: Some(parallel),
            ..sample::stage(&std::env::temp_dir())
        };
        let mut figures = StageAccumulator::new(&header);
        let mut profile = ProfileAccumulator::new(&[], None);
        for index in 0..200 {
            let ttft_ms = f64::from(10 * parallel.max(4) + index % 7);
            let record = testing::streamed(f64::from(index / parallel) * ttft_ms, ttft_ms, 2.0, 9);
            figures.push(&record);
            profile.push(&record);
        }
        let stage = figures.finish(&header, Some(sample::end(0.25).health)).unwrap();
        profiles.push(profile.finish(&stage));
        stages.push(stage);
    }
    let evil = "</script><script>alert(1)</script>\"'&";
    let run = RunHeader { config: json!({"model": evil, "load": {"parallel": [1, 2]}}), ..sample::run() };
    let basic = BasicInformation {
        model: evil.into(),
        dataset: "<img src=x onerror=alert(1)>".into(),
        api: "openai".into(),
        output_path: String::new(),
    };
    report(&run, &basic, &stages, &profiles, &[]).unwrap()
}

#[test]
fn names_are_escaped_wherever_they_stand() {
    let page = page(&[1, 2]);
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "a name broke out");
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert_eq!(page.matches("<script").count(), 3, "the page's own, and its data");
}

#[test]
fn the_knee_is_marked_and_the_curve_has_its_intervals() {
    let page = page(&[1, 2, 4, 8, 16]);
    assert!(page.contains("At the knee") && page.contains("The knee is at parallel_4"), "{page}");
    assert!(page.contains("<th scope=\"row\">parallel_4<span class=\"tag\">knee</span>"));
    assert!(page.contains("\"knee\":2"));
    assert!(page.contains("95 %: "));
}

#[test]
fn the_page_reaches_nothing_outside() {
    let page = page(&[1]);
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap();
    assert!(policy.starts_with("default-src &#x27;none&#x27;; script-src &#x27;sha256-"), "{policy:.200}");
    for word in ["http://", "https://", "url(", "@import", "fetch(", "XMLHttpRequest", "src=", "style=\""] {
        let found: Vec<&str> =
            page.match_indices(word).map(|(at, _)| &page[at.saturating_sub(20)..at + 40]).collect();
        assert!(
            found.iter().all(|text| text.contains("www.w3.org/2000/svg") || text.contains("&lt;img")),
            "{word}: {found:?}"
        );
    }
}

#[test]
fn the_same_records_make_the_same_page() {
    assert_eq!(page(&[1, 2, 4]), page(&[1, 2, 4]));
}

fn basic() -> BasicInformation {
    BasicInformation { model: "m".into(), dataset: "d".into(), api: "a".into(), output_path: String::new() }
}

#[test]
fn a_page_without_stages_says_so() {
    assert!(report(&sample::run(), &basic(), &[], &[], &[]).unwrap().contains("Nothing was measured"));
}

#[test]
fn a_page_without_a_success_praises_no_stage() {
    let header = sample::stage(&std::env::temp_dir());
    let (mut figures, mut profile) = (StageAccumulator::new(&header), ProfileAccumulator::new(&[], None));
    for index in 0..9 {
        let record = testing::failed(f64::from(index), 10.0);
        figures.push(&record);
        profile.push(&record);
    }
    let stage = figures.finish(&header, Some(sample::end(0.25).health)).unwrap();
    let profiles = [profile.finish(&stage)];
    let page = report(&sample::run(), &basic(), &[stage], &profiles, &[]).unwrap();
    assert!(
        page.contains("<h2>No request succeeded</h2>") && page.contains("9 of 9 failed with truncated"),
        "{page}"
    );
    assert!(!page.contains("best throughput") && !page.contains("highest at an end"), "{page}");
}

#[test]
fn numbers_of_charts_are_short() {
    assert_eq!(rounded(json!([1.234_567_89, 5.0, 12_345_678.9, 7])), json!([1.2346, 5, 12_346_000, 7]));
}
