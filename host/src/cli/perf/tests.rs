//! Flags and the configurations that come of them.

use clap::Parser;
use serde_json::Value;

use super::PerfArgs;
use crate::config::Config;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    perf: PerfArgs,
}

fn config(flags: &str) -> Result<Config, Vec<String>> {
    let words = std::iter::once("tickrate").chain(flags.split_whitespace());
    let args = Cli::try_parse_from(words).map_err(|error| vec![error.to_string()])?;
    args.perf.into_config(1).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_quick_start_flags_make_a_configuration() {
    let config = config(
        "--parallel 1 10 50 100 200 --number 10 20 100 200 400 --model Qwen2.5-0.5B-Instruct \
         --url http://127.0.0.1:8801/v1/chat/completions --api openai --dataset random \
         --max-tokens 1024 --min-tokens 1024 --prefix-length 0 --min-prompt-length 1024 \
         --max-prompt-length 1024 --tokenizer-path x --extra-args {\"ignore_eos\":true}",
    )
    .unwrap();
    assert_eq!(config.load.parallel, [1, 10, 50, 100, 200]);
    assert!(config.prompt.apply_chat_template);
    assert_eq!(
        Value::Object(config.api.parameters).to_string(),
        r#"{"max_tokens":1024,"min_tokens":1024,"stream":true,"temperature":0.0,"ignore_eos":true}"#
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let problems =
        config("--parallel 1 2 --number 5 --extra-args {\"a\":} --rate 0 --headers k").unwrap_err();
    assert_eq!(
        problems,
        [
            "--extra-args: malformed JSON: expected value at line 1 column 6; correct it there",
            "--headers: value 1 is not NAME=VALUE",
            "--parallel: the length of number and parallel should be the same, but got number: [5] and \
             parallel: [1, 2]; give one --number for each --parallel",
            "--rate: must be more than 0 requests per second, or -1 for no pacing, but got 0",
            "--model: is required: the model's name as the server knows it",
        ]
    );
}

#[test]
fn an_open_loop_sweeps_over_rates() {
    let swept = config("--model m --open-loop --rate 5 0.5 --number 10 20 --goodput ttft:200").unwrap();
    let names: Vec<String> = swept.load.stages().into_iter().map(|stage| stage.name).collect();
    assert_eq!(names, ["rate_5_number_10", "rate_0.5_number_20"]);
    let problems = config("--model m --open-loop --rate 5 6 --number 10").unwrap_err();
    assert_eq!(
        problems,
        ["--rate: in open-loop mode the length of --number and --rate must match, but got number: [10] and \
          rate: [5.0, 6.0]; give one --number for each --rate"]
    );
    assert!(config("--model m --rate 5 6").unwrap_err()[0].contains("add --open-loop"));
    assert!(config("--model m --ramp 5:6").unwrap_err()[0].starts_with("--ramp: "));
}

#[test]
fn an_api_key_replaces_an_authorization_header_and_is_not_shown() {
    let config = config("--model m --headers authorization=x A=b=c --api-key sk-secret").unwrap();
    assert_eq!(format!("{:?}", config.connection.headers), "[A=b=c, Authorization=**********]");
    assert!(!serde_json::to_string(&config).unwrap().contains("sk-secret"));
}

#[test]
fn a_max_tokens_range_is_left_to_the_api_and_a_ratio_of_warmup_is_at_least_one() {
    let config = config("--model m --max-tokens 5 9 --warmup-num 0.1 --no-stream").unwrap();
    assert_eq!(config.api.max_tokens, (5, 9));
    assert!(!config.api.parameters.contains_key("max_tokens"));
    assert_eq!(config.load.warmup.of(100), 10);
    assert_eq!(config.load.warmup.of(3), 1);
    assert!(!config.api.stream);
}

#[test]
fn a_chat_template_follows_the_url_unless_a_flag_says_otherwise() {
    assert!(config("--model m").unwrap().prompt.apply_chat_template);
    assert!(!config("--model m --no-apply-chat-template").unwrap().prompt.apply_chat_template);
    assert!(!config("--model m --url http://h/v1/completions").unwrap().prompt.apply_chat_template);
    assert!(config("--model m --url http://h:8000").unwrap().prompt.apply_chat_template);
    assert!(config("--model m --url http://h --api anthropic").unwrap().prompt.apply_chat_template);
    assert!(!config("--model m --api rerank").unwrap().prompt.apply_chat_template);
    assert!(config("--model m --url http://h/x --apply-chat-template").unwrap().prompt.apply_chat_template);
}

#[test]
fn an_sla_is_searched_for_from_the_first_load() {
    let tuned =
        config("--model m --sla-auto-tune --parallel 8 --sla-params [{\"p99_ttft\":\"<=2\"}]").unwrap();
    let sla = tuned.sla.unwrap();
    assert_eq!((sla.start, sla.runs, sla.upper), (8, 3, 65536));
    assert_eq!(sla.notes.len(), 1, "a number without a unit is remarked on");
    let wrong = |flags: &str| config(flags).unwrap_err().join("\n");
    assert!(wrong("--model m --sla-auto-tune").contains("--sla-params"));
    assert!(
        wrong("--model m --sla-auto-tune --sla-params [{\"p99_speed\":\"max\"}]")
            .starts_with("--sla-params: \"p99_speed\"")
    );
    assert!(wrong("--model m --sla-auto-tune --sla-params [").contains("column 1"));
}

/// `test_dataset_args.py` and `test_request_generation.py` of the baseline: how its older flags are taken.
#[test]
fn flags_of_the_baseline_that_are_old_or_its_own_are_taken() {
    let base = "--model m --prompt hi --number 10";
    let folded = format!(
        "{base} --multi-turn-args {{\"first_turn_length\":100,\"chars_per_token\":2.0,\"num_workers\":4}} \
         --dataset-args {{\"first_turn_length\":7}}"
    );
    let folded = config(&folded).unwrap();
    assert_eq!(folded.load.number, [10]);
    assert_eq!(
        Value::Object(folded.prompt.dataset_args).to_string(),
        r#"{"first_turn_length":7,"chars_per_token":2.0}"#,
        "--dataset-args wins, and num_workers is no option of a dataset"
    );
    let tuned = format!(
        "{base} --num-workers 8 --db-commit-interval 10 --queue-size-multiplier 5 --in-flight-task-multiplier 2"
    );
    assert!(config(&tuned).is_ok());
    let words = std::iter::once("tickrate").chain(tuned.split_whitespace());
    let notes = Cli::try_parse_from(words).unwrap().perf.notes();
    assert_eq!(notes.len(), 4);
    assert_eq!(notes[0], "--num-workers has no effect here: prompts are made ahead by one thread");
    for workers in ["--num-workers -1", "--dataset-args {\"num_workers\":-1}"] {
        assert_eq!(config(&format!("{base} {workers}")).unwrap_err(), ["--num-workers: must be >= 0"]);
    }
    let broken = config(&format!("{base} --multi-turn-args {{")).unwrap_err();
    assert!(broken[0].starts_with("--multi-turn-args: malformed JSON"), "{broken:?}");
}

#[test]
fn flags_that_would_do_nothing_are_refused_with_what_to_do() {
    for (flags, told) in [
        ("--port 8000", "--port: tickrate starts no server; start one and give its address as --url"),
        ("--attn-implementation eager", "--attn-implementation: tickrate starts no server"),
        ("--enable-progress-tracker", "--enable-progress-tracker: --progress-file FILE takes its place"),
        ("--max-tokens 9 --max-tokens 5 7", "--max-tokens: accepts 1 or 2 values [min max], got [9, 5, 7]"),
        ("--rate 5 --burstiness 0.5", "--burstiness: needs --arrival gamma; add it"),
        ("--open-loop --rate 5 --ramp 1:5:9", "--rate: does not go with --ramp or --steps"),
        ("--cancel-after 2", "--cancel-after: needs --cancel-rate"),
        ("--url http://a/v1 http://b/v2", "--url: several need the same path"),
    ] {
        let problems = config(&format!("--model m {flags}")).unwrap_err();
        assert!(problems[0].starts_with(told), "{flags}: {problems:?}");
    }
    assert!(config("--model m --rate 5 --arrival gamma --burstiness 0.5").is_ok());
    assert!(config("--model m --rate -1 --steps 1:5 2:9 --cancel-rate 0.5 --cancel-after 2").is_ok());
}
