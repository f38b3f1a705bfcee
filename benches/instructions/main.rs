//! The instructions that tickrate spends on each frame of a reply, counted by callgrind and compared
//! with `baseline.json`: `cargo bench --bench instructions`. It fails if a path takes 15 % more than
//! it did. `UPDATE_BASELINE=1 cargo bench --bench instructions` writes the file anew.
//!
//! Time on a shared machine says little; the number of instructions is the same every time, to a part
//! in a thousand. The bench runs itself under `valgrind --tool=callgrind`, each path twice with a
//! different number of replies, so that what starting a process takes cancels out.

#[path = "../reply.rs"]
mod reply;
#[path = "../stored.rs"]
mod stored;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use tickrate::api::{self, ApiSpec};
use tickrate::contract::Framing;
use tickrate::contract::framing::{Framed, frames};
use tickrate::metrics::StageAccumulator;
use tickrate::output::rows::Rows;
use tickrate::plugin::{LimitsSpec, Plugin, Runtime, Services};
use tickrate::record::{Meaning, RequestRecord, TokenFrame};

type Failed = Box<dyn std::error::Error>;

/// Takes so many replies along a path.
type Take = fn(u64) -> Result<(), Failed>;

/// Tokens of the reply, one a frame; three more frames have none.
const TOKENS: usize = 128;
/// How many replies the two runs of a path take.
const REPLIES: [u64; 2] = [8, 72];
/// The most that a path may cost, as a multiple of what it did.
const MOST: f64 = 1.15;
/// Below this multiple the baseline is worth writing anew, so that what was gained is not lost again.
const LEAST: f64 = 0.90;
/// The path that needs a plugin, which `cargo xtask guests` builds.
const PLUGIN: &str = "plugin";
/// How long a call of it may take, as slow as everything is under valgrind.
const PATIENCE: Duration = Duration::from_secs(60);
/// Asks the process for nothing but the work that is counted.
const PATH: &str = "--path";

/// What is counted: each path alone, and all that a reply goes through.
const PATHS: [(&str, Take); 7] = [
    ("framing", framing),
    ("parse", parse),
    (PLUGIN, plugin),
    ("record", record),
    ("rows", rows),
    ("metrics", metrics),
    ("reply", whole),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [PATH, name, replies] => work(name, replies),
        _ => compare(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(name: &str, replies: &str) -> Result<bool, Failed> {
    let (_, path) = PATHS.iter().find(|(known, _)| *known == name).ok_or("there is no such path")?;
    path(replies.parse()?).map(|()| true)
}

fn compare() -> Result<bool, Failed> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/instructions/baseline.json");
    let mut paths: Vec<&str> = PATHS.iter().map(|(name, _)| *name).collect();
    if !guest().exists() {
        println!("\"{PLUGIN}\" is left out: there is no {}", guest().display());
        paths.retain(|name| *name != PLUGIN);
    }
    let mut counted = BTreeMap::new();
    for name in paths.iter().copied() {
        if name == PLUGIN {
            // The first run compiles the component and leaves the machine code for those that count.
            instructions(name, 1)?;
        }
        let [few, many] = [instructions(name, REPLIES[0])?, instructions(name, REPLIES[1])?];
        let frames = (REPLIES[1] - REPLIES[0]) as f64 * TOKENS as f64;
        counted.insert(name.to_string(), ((many.saturating_sub(few)) as f64 / frames * 10.0).round() / 10.0);
    }
    let mut baseline: BTreeMap<String, f64> = match std::fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => BTreeMap::new(),
    };
    if std::env::var_os("UPDATE_BASELINE").is_some() {
        baseline.extend(counted.clone());
        baseline.remove(PLUGIN);
        std::fs::write(&file, format!("{:#}\n", serde_json::json!(baseline)))?;
    }
    let mut good = true;
    println!("{:<10} {:>24} {:>10} {:>7}", "path", "instructions a frame", "baseline", "ratio");
    for name in paths {
        let now = counted.get(name).copied().unwrap_or(f64::NAN);
        let then = baseline.get(name).copied().unwrap_or(f64::NAN);
        let ratio = now / then;
        println!("{name:<10} {now:>24.1} {then:>10.1} {ratio:>7.3}");
        // What a plugin costs depends on the processor that its code is made for: it is shown, and the
        // baseline leaves it out.
        good &= name == PLUGIN || ratio <= MOST;
        if ratio < LEAST {
            println!("  better than the baseline: write it anew with UPDATE_BASELINE=1");
        }
    }
    if !good {
        let file = file.display();
        eprintln!(
            "instructions: a path costs more than {MOST} times what it did. Find out why with\n  valgrind \
             --tool=callgrind {} {PATH} PATH 72\nand callgrind_annotate, or justify it and write {file} anew \
             with UPDATE_BASELINE=1.",
            std::env::current_exe()?.display()
        );
    }
    Ok(good)
}

/// The instructions of this process when it does nothing but take `replies` along a path.
fn instructions(name: &str, replies: u64) -> Result<u64, Failed> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args([PATH, name, &replies.to_string()])
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}; install it (apt-get install valgrind)"))?;
    if !output.status.success() {
        return Err(format!("valgrind failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = std::fs::read_to_string(&out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary:").or(line.strip_prefix("totals:")));
    Ok(total.ok_or("callgrind wrote no total")?.trim().parse()?)
}

fn framed() -> (reply::Wire, Framed) {
    let wire = reply::chat(TOKENS);
    let framed = frames(wire.body.clone(), &wire.marks, Framing::Sse);
    (wire, framed)
}

fn framing(replies: u64) -> Result<(), Failed> {
    let wire = reply::chat(TOKENS);
    for _ in 0..replies {
        black_box(frames(black_box(wire.body.clone()), &wire.marks, Framing::Sse));
    }
    Ok(())
}

fn parse(replies: u64) -> Result<(), Failed> {
    let api = api::open("openai", &reply::config(), &ApiSpec::default(), None)?;
    let (_, framed) = framed();
    for _ in 0..replies {
        black_box(api.parse(black_box(&reply::reply(&framed)))?);
    }
    Ok(())
}

/// The component that speaks the same dialect as the built-in API.
fn guest() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from).join("guests/openai-chat.wasm")
}

/// What `parse` does, through WASM.
fn plugin(replies: u64) -> Result<(), Failed> {
    let plugin =
        Plugin::open(&Runtime::new(LimitsSpec { call: PATIENCE, ..LimitsSpec::default() })?, &guest())?;
    let api = plugin.api(&reply::config(), &Services::none())?;
    let (_, framed) = framed();
    for _ in 0..replies {
        black_box(api.parse(black_box(&reply::reply(&framed)))?);
    }
    Ok(())
}

fn record(replies: u64) -> Result<(), Failed> {
    let (key, wire, meaning) = stored::parts(7, TOKENS);
    for _ in 0..replies {
        black_box(RequestRecord::new(key.clone(), 0, wire, black_box(meaning.clone())));
    }
    Ok(())
}

fn rows(replies: u64) -> Result<(), Failed> {
    let record = stored::record(7, TOKENS);
    let mut rows = Rows::new();
    for _ in 0..replies {
        rows.push(black_box(&record));
    }
    black_box(rows.finish()?);
    Ok(())
}

fn metrics(replies: u64) -> Result<(), Failed> {
    let record = stored::record(7, TOKENS);
    let stage = stored::stage(&std::env::temp_dir(), replies);
    let mut accumulator = StageAccumulator::new(&stage);
    for _ in 0..replies {
        accumulator.push(black_box(&record));
    }
    black_box(accumulator.finish(&stage, None)?);
    Ok(())
}

/// All of it, as the engine and the outputs do it one after the other.
fn whole(replies: u64) -> Result<(), Failed> {
    let api = api::open("openai", &reply::config(), &ApiSpec::default(), None)?;
    let wire = reply::chat(TOKENS);
    let (key, moments, meaning) = stored::parts(7, TOKENS);
    let stage = stored::stage(&std::env::temp_dir(), replies);
    let mut accumulator = StageAccumulator::new(&stage);
    let mut rows = Rows::new();
    for _ in 0..replies {
        let framed = frames(black_box(wire.body.clone()), &wire.marks, Framing::Sse);
        let outcome = api.parse(&reply::reply(&framed))?;
        let token_frames: Vec<TokenFrame> = outcome
            .outputs
            .iter()
            .map(|output| TokenFrame {
                at: framed.frames[output.frame as usize].at,
                tokens: Some(1),
                answer: true,
            })
            .collect();
        let meaning = Meaning { token_frames, ..meaning.clone() };
        let record = RequestRecord::new(key.clone(), 0, moments, meaning);
        rows.push(&record);
        accumulator.push(&record);
    }
    black_box((rows.finish()?, accumulator.finish(&stage, None)?));
    Ok(())
}
