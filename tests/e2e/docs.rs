//! The documentation: that it builds, that its links lead somewhere, and that it speaks of flags and messages
//! that there are.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::running::{root, tickrate};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let all = crate::running::files(folder);
    all.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The ends of a text's links: `docs/load.md#open-loop`.
fn links(text: &str) -> Vec<&str> {
    let begins = text.match_indices("](").map(|(at, _)| &text[at + 2..]);
    begins.filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect()
}

/// The anchors of a page: its headings as mdBook and GitHub name them.
fn anchors(text: &str) -> HashSet<String> {
    let mut code = false;
    let mut out = HashSet::new();
    for line in text.lines() {
        code ^= line.starts_with("```");
        if let (false, Some((signs, heading))) = (code, line.split_once("# "))
            && signs.chars().all(|c| c == '#')
        {
            let heading = heading.to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            out.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    out
}

#[test]
fn the_site_builds() {
    let python = Command::new("python3")
        .current_dir(root())
        .args(["tests/python/venv.py", "docs/requirements.txt", "docs-venv"])
        .output()
        .unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let book = tempfile::tempdir().unwrap();
    let built = Command::new(Path::new(python.trim()).with_file_name("mdbook"))
        .args(["build", "--dest-dir"])
        .arg(book.path())
        .arg(root().join("docs"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success() && !said.contains("WARN"), "{said}");
    for page in files(&root().join("docs"), "md") {
        let name = page.file_stem().unwrap().to_str().unwrap().to_string();
        let html = book.path().join(format!("{name}.html"));
        assert!(name == "SUMMARY" || html.exists(), "{name}.md is not in docs/SUMMARY.md");
    }
    let first = read(&book.path().join("index.html"));
    assert!(first.contains("<h1 id=\"quick-start\">"), "the first page is the quick start");
}

#[test]
fn links_lead_somewhere() {
    let mut pages = files(&root().join("docs"), "md");
    pages.push(root().join("README.md"));
    let (mut seen, mut broken) = (0, Vec::new());
    for page in pages {
        let text = read(&page);
        for link in links(&text).into_iter().filter(|link| !link.contains("://") && !link.contains(' ')) {
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = to.exists() && (anchor.is_empty() || anchors(&read(&to)).contains(anchor));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(seen > 30, "the links were not found");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_example_of_the_readme_is_the_quick_start_and_has_its_pictures() {
    let readme = read(&root().join("README.md"));
    let quick_start = read(&root().join("docs/quick-start.md"));
    let blocks: Vec<&str> = readme.split("```\n").collect();
    let at = readme.find("<!-- made by cargo xtask picture -->").expect("the example");
    let example = readme[at..].split("```\n").nth(1).unwrap();
    let (sim, perf) = example.split_once('\n').unwrap();
    for command in [sim, perf] {
        assert!(!command.is_empty() && quick_start.contains(command), "the quick start has no {command}");
    }
    let stages = perf.split("--number ").nth(1).unwrap().split_whitespace().count();
    let shown = blocks.iter().find(|block| block.starts_with("Performance Overview:")).expect("its summary");
    assert_eq!(shown.lines().filter(|line| line.starts_with("│ ")).count(), stages + 1, "{shown}");
    for name in ["report-light.png", "report-dark.png"] {
        let picture = std::fs::read(root().join("docs/images").join(name)).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() < 300 << 10, "{name}: {}", picture.len());
        assert!(readme.contains(&format!("\"docs/images/{name}\"")), "{name} is not shown");
    }
}

fn flags_of_perf() -> HashSet<String> {
    let help = tickrate(Path::new("."), "perf --help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words = help.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("--")).map(String::from).collect()
}

/// The flags in a text between backquotes.
fn flags(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
    quoted.filter(|word| word.starts_with("--")).map(String::from).collect()
}

#[test]
fn the_tables_for_those_who_come_from_elsewhere_name_flags_that_there_are() {
    let known = flags_of_perf();
    let text = read(&root().join("docs/coming-from.md"));
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let cells: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    let ours: Vec<String> = cells.iter().flat_map(|cells| flags(cells[2])).collect();
    assert!(ours.len() > 40, "{ours:?}");
    let unknown: Vec<_> = ours.iter().filter(|flag| !known.contains(*flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_flags_of_the_baseline_are_taken_or_accounted_for() {
    let known = flags_of_perf();
    let text = read(&root().join("docs/coming-from.md"));
    let evalscope = text.split("## vLLM bench").next().unwrap();
    let accounted: HashSet<String> = flags(evalscope).into_iter().collect();
    let missing: Vec<&str> = BASELINE
        .split_whitespace()
        .filter(|flag| !known.contains(*flag) && !accounted.contains(*flag))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every flag of `evalscope perf`.
const BASELINE: &str = "--model --api --attn-implementation --tokenizer-path --url --port --headers --api-key \
    --connect-timeout --read-timeout --total-timeout --no-test-connection --number --parallel --rate --warmup-num \
    --open-loop --sleep-interval --duration --sla-auto-tune --sla-variable --sla-params --sla-num-runs \
    --sla-upper-bound --sla-lower-bound --sla-fixed-parallel --sla-number-multiplier --db-commit-interval \
    --queue-size-multiplier --in-flight-task-multiplier --num-workers --log-every-n-query --debug --visualizer \
    --wandb-api-key --swanlab-api-key --swanlab-host --name --enable-progress-tracker --max-prompt-length \
    --min-prompt-length --prefix-length --prompt --query-template --apply-chat-template --no-apply-chat-template \
    --image-width --image-height --image-format --image-num --image-patch-size --outputs-dir --no-timestamp --dataset \
    --dataset-path --data-source --dataset-offset --dataset-args --frequency-penalty --repetition-penalty --logprobs \
    --max-tokens --min-tokens --n-choices --seed --stop --stop-token-ids --stream --no-stream --temperature --top-p \
    --top-k --extra-args --tokenize-prompt --multi-turn --min-turns --max-turns --multi-turn-args";

#[test]
fn every_flag_of_the_other_tools_has_a_row() {
    let text = read(&root().join("docs/coming-from.md"));
    let known = flags_of_perf();
    for (heading, theirs) in [("## vLLM bench", VLLM), ("## GuideLLM", GUIDELLM)] {
        let section = text.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        let rows =
            section.lines().filter(|line| line.starts_with("| ")).map(|line| line.split('|').nth(1).unwrap());
        let told: HashSet<String> = rows.flat_map(flags).collect();
        let missing: Vec<&str> = theirs.split_whitespace().filter(|flag| !told.contains(*flag)).collect();
        assert!(missing.is_empty(), "{heading}: {missing:?}");
        let same = section.lines().filter(|line| line.contains("| the same |"));
        let strangers: Vec<String> = same.flat_map(flags).filter(|flag| !known.contains(flag)).collect();
        assert!(strangers.is_empty(), "{heading}: {strangers:?} are not the same");
    }
}

/// The flags of `vllm bench serve`, but for those of single datasets of its own.
const VLLM: &str = "--label --backend --base-url --host --port --endpoint --header --max-concurrency --model --input-len \
    --output-len --tokenizer --tokenizer-mode --use-beam-search --logprobs --request-rate --burstiness \
    --probe-request-rate --disable-tqdm --num-warmups --profile --save-result --save-detailed --append-result \
    --metadata --result-dir --result-filename --ignore-eos --self-timed --percentile-metrics --metric-percentiles \
    --goodput --request-id-prefix --top-p --top-k --min-p --temperature --frequency-penalty --presence-penalty \
    --repetition-penalty --served-model-name --lora-modules --lora-assignment --ramp-up-strategy --ramp-up-start-rps \
    --ramp-up-end-rps --ready-check-timeout-sec --chat-template-kwargs --extra-body --skip-tokenizer-init --insecure \
    --plot-timeline --timeline-itl-thresholds --plot-dataset-stats --seed --num-prompts --dataset-name --dataset-path \
    --no-stream --no-oversample --skip-chat-template --disable-shuffle --trust-remote-code --random-input-len \
    --random-output-len --random-range-ratio --random-prefix-len --sharegpt-output-len --custom-output-len \
    --hf-output-len --hf-subset --hf-split --hf-name --prefix-repetition-prefix-len";

/// The flags of `guidellm run` 0.8, and those of earlier versions that people still write.
const GUIDELLM: &str = "--config --scenario --label --backend --profile --constraint --tokenizer --data \
    --data-column-mapper --data-preprocessor --data-finalizer --data-loader --seed --output --metrics --override \
    --disable-console --disable-progress --target --model --processor --max-seconds --max-requests --random-seed";

#[test]
fn the_messages_to_look_up_are_ones_that_are_said() {
    let sources: Vec<String> = files(&root().join("host/src"), "rs")
        .iter()
        .chain(&files(&root().join("tests/e2e/snapshots"), "snap"))
        // A message may go over two lines of the source.
        .map(|path| read(path).replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let text = read(&root().join("docs/troubleshooting.md"));
    let messages: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert!(messages.len() > 12, "{messages:?}");
    for message in messages {
        assert!(sources.iter().any(|source| source.contains(message)), "nothing says: {message}");
    }
}
