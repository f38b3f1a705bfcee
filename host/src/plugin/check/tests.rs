use crate::contract::RunConfig;

use super::*;
use crate::plugin::tests::{guest, runtime};

fn report(name: &str, options: Value) -> Report {
    let plugin = Plugin::open(&runtime(), &guest(name)).unwrap();
    let options = options.as_object().cloned().unwrap_or_default();
    let spec = CheckSpec {
        run: RunConfig {
            model: "m".into(),
            url: "http://h/v1".into(),
            stream: true,
            seed: 7,
            ..RunConfig::default()
        },
        api_options: options.clone(),
        dataset_options: options,
        replies: Vec::new(),
    };
    check(&plugin, &spec, &Services::none())
}

#[test]
fn the_shipped_plugins_pass() {
    for name in ["openai-chat", "ollama-chat", "tgi-generate", "synthetic-chat", "arithmetic"] {
        let report = report(name, json!({}));
        assert!(report.passed(), "{report}");
        println!("{report}");
    }
}
