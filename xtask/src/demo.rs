//! The main job, once, on a machine that has nothing to measure: a sweep against the built-in
//! simulator, and one stage in which WASM plugins make the dataset and speak the API.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{guests, root, target};

/// Runs the demonstration.
pub fn run() -> Result<(), String> {
    let tickrate = guests()?;
    let sim = start_sim(&tickrate)?;
    stages(&tickrate, &sim)
}

/// A simulator that ends with this value.
struct Sim {
    process: Child,
    url: String,
}

impl Drop for Sim {
    fn drop(&mut self) {
        // It has nothing to lose, and may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn perf(tickrate: &Path, url: &str, name: &str, flags: &[&str]) -> Result<(), String> {
    let mut command = Command::new(tickrate);
    command
        .current_dir(root())
        .args(["perf", "--model", "simulated", "--max-tokens", "64", "--sleep-interval", "0", "--name", name])
        .args(["--url", url])
        .args(flags);
    super::run(&mut command)
}

fn stages(tickrate: &Path, sim: &Sim) -> Result<(), String> {
    let chat = format!("{}/v1/chat/completions", sim.url);
    let questions = ["--dataset", "openqa", "--dataset-path", "tests/data/openqa.jsonl"];
    let load = ["--parallel", "1", "4", "16", "--number", "4", "16", "64"];
    perf(tickrate, &chat, "demo-sweep", &[&load[..], &questions[..]].concat())?;

    let ollama = format!("{}/api/chat", sim.url);
    let component = |name: &str| target().join("guests").join(name).display().to_string();
    let (api, dataset) = (component("ollama-chat.wasm"), component("synthetic-chat.wasm"));
    let plugged = ["--parallel", "8", "--number", "32", "--api", &api, "--dataset", &dataset];
    perf(tickrate, &ollama, "demo-plugins", &plugged)
}

fn start_sim(tickrate: &Path) -> Result<Sim, String> {
    let mut process = Command::new(tickrate)
        .args(["sim", "--port", "0", "--ttft", "lognormal:60,0.3", "--itl", "8", "--slots", "8"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start the simulator: {error}"))?;
    let mut line = String::new();
    if let Some(stdout) = process.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|error| format!("the simulator says nothing: {error}"))?;
    }
    let url =
        line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default().to_string();
    let sim = Sim { process, url };
    if sim.url.is_empty() { Err("the simulator did not start".to_string()) } else { Ok(sim) }
}
