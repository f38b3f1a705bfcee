//! Components that were built from a released contract and are kept as they are: they load and run.

use crate::running::{chat, perf, root, sim, tickrate};
use tickrate::sim::SimSpec;

#[test]
fn a_component_of_contract_0_1_is_an_api_and_a_dataset() {
    let plugin = root().join("tests/frozen/0.1/plugin.wasm");
    let plugin = plugin.to_str().unwrap();
    let server = sim(SimSpec::default());
    let flags =
        ["--number", "6", "--no-test-connection", "--save-text", "--api", plugin, "--dataset", plugin];
    let run = perf(&chat(&server.url()), &flags).ended(0);
    let records = run.records();
    assert_eq!(records.len(), 6);
    for (n, record) in records.iter().enumerate() {
        assert!(record.ok(), "{:?}", record.failure);
        assert!(record.prompt.as_ref().unwrap().starts_with(&format!("{n} and ")), "{:?}", record.prompt);
        assert_eq!((record.token_frames.len(), record.tokens.output), (4, Some(4)));
        assert!(record.ttft_ms.is_some() && record.labels.contains(&("frozen".into(), "0.1".into())));
    }
    let plugins = run.json("run.json")["plugins"].clone();
    assert_eq!((plugins[0]["role"].as_str(), plugins[1]["role"].as_str()), (Some("api"), Some("dataset")));
    let inspected = tickrate(run.folder.path(), "plugin inspect --json").arg(plugin).output().unwrap();
    let inspected: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!((&inspected["contract"], &inspected["sha256"]), (&"0.1.0".into(), &plugins[0]["sha256"]));
    let log = std::fs::read_to_string(run.path().join("benchmark.log")).unwrap();
    assert!(log.contains("info: plugin \"frozen\": opened"), "{log}");

    let flags = ["--api", plugin, "--api-args", r#"{"refuse": true}"#, "--prompt", "x"];
    let refused = perf(&chat(&server.url()), &flags).ended(2);
    let told = "error: --api: the plugin \"frozen\" could not be opened: refused as asked\n";
    assert_eq!(refused.stderr(), told);
    let misspelt = ["--api", plugin, "--api-args", r#"{"refuze": true}"#, "--prompt", "x"];
    let misspelt = perf(&chat(&server.url()), &misspelt).ended(2);
    assert!(misspelt.stderr().contains("'refuze' was unexpected"), "{}", misspelt.stderr());

    let checked = tickrate(run.folder.path(), "plugin check").arg(plugin).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}
