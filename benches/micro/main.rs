//! Microbenchmarks of what happens to a reply after it was read, and of what happens before a request
//! is sent: `cargo bench --bench micro`, or `cargo bench --bench micro -- framing` for some of them.

#[path = "../reply.rs"]
mod reply;
#[path = "../stored.rs"]
mod stored;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tickrate::api::{self, ApiSpec};
use tickrate::contract::framing::{Framed, frames};
use tickrate::contract::{Api, Framing};
use tickrate::dataset::{self, DatasetSpec};
use tickrate::engine::schedule::{ArrivalSpec, RateProfile, Schedule, Spacing};
use tickrate::metrics::{PERCENTILES, StageAccumulator};
use tickrate::output::Output;
use tickrate::output::parquet::ParquetOutput;
use tickrate::output::rows::Rows;
use tickrate::plugin::{LimitsSpec, Plugin, Runtime, Services};
use tickrate::record::{Event, RequestRecord};
use tickrate::tokenizer::Tokenizer;

fn main() {
    divan::main();
}

/// The repository, or a build folder in it.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn framed(tokens: usize) -> Framed {
    let wire = reply::chat(tokens);
    frames(wire.body, &wire.marks, Framing::Sse)
}

#[divan::bench(args = [128, 4096])]
fn framing(bencher: Bencher, tokens: usize) {
    let wire = reply::chat(tokens);
    bencher
        .counter(ItemsCount::new(wire.marks.len()))
        .with_inputs(|| wire.body.clone())
        .bench_values(|body| frames(body, &wire.marks, Framing::Sse));
}

#[divan::bench]
fn parsing_natively(bencher: Bencher) {
    match api::open("openai", &reply::config(), &ApiSpec::default(), None) {
        Ok(api) => parse(bencher, api.as_ref()),
        Err(error) => panic!("{error}"),
    }
}

/// The same reply through the WASM twin: what crossing into a plugin costs. `cargo xtask guests`
/// builds it.
#[divan::bench]
fn parsing_through_wasm(bencher: Bencher) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let guest = target.join("guests/openai-chat.wasm");
    if !guest.exists() {
        eprintln!("parsing_through_wasm is left out: there is no {}", guest.display());
        return;
    }
    let opened = Runtime::new(LimitsSpec::default())
        .and_then(|runtime| Plugin::open(&runtime, &guest))
        .and_then(|plugin| plugin.api(&reply::config(), &Services::none()));
    match opened {
        Ok(api) => parse(bencher, api.as_ref()),
        Err(error) => panic!("{error}"),
    }
}

fn parse(bencher: Bencher, api: &dyn Api) {
    let framed = framed(128);
    let reply = reply::reply(&framed);
    assert!(api.parse(&reply).is_ok_and(|outcome| outcome.outputs.len() == 128));
    bencher.counter(ItemsCount::new(framed.frames.len())).bench(|| api.parse(black_box(&reply)));
}

#[divan::bench]
fn record_building(bencher: Bencher) {
    let (key, wire, meaning) = stored::parts(7, 128);
    bencher
        .counter(ItemsCount::new(128_usize))
        .with_inputs(|| (key.clone(), meaning.clone()))
        .bench_values(|(key, meaning)| RequestRecord::new(key, 0, wire, meaning));
}

#[divan::bench]
fn schedule_of_100_000(bencher: Bencher) {
    bencher.counter(ItemsCount::new(100_000_usize)).bench(|| {
        let spec = ArrivalSpec::Paced { spacing: Spacing::Poisson, rate: RateProfile::constant(5_000.0) };
        let mut schedule = Schedule::new(&spec, black_box(7));
        (0..100_000).filter_map(|_| schedule.next_due()).last()
    });
}

/// 10,000 records of 128 frames: more intervals than are kept in memory.
#[divan::bench(sample_count = 10)]
fn metrics_of_10_000_records(bencher: Bencher) {
    let records: Vec<RequestRecord> = (0..10_000).map(|index| stored::record(index, 128)).collect();
    let folder = std::env::temp_dir();
    let stage = stored::stage(&folder, 10_000);
    bencher.counter(ItemsCount::new(records.len() * 127)).bench(|| {
        let mut accumulator = StageAccumulator::new(&stage);
        records.iter().for_each(|record| accumulator.push(record));
        accumulator.finish(&stage, None).map(|summary| summary.figures().len() + PERCENTILES.len())
    });
}

#[divan::bench]
fn rows_of_256_records(bencher: Bencher) {
    let records: Vec<RequestRecord> = (0..256).map(|index| stored::record(index, 128)).collect();
    bencher.counter(ItemsCount::new(records.len())).bench(|| {
        let mut rows = Rows::new();
        records.iter().for_each(|record| rows.push(record));
        rows.finish()
    });
}

/// 10,000 records of 128 frames through the journal into `requests.parquet`, on the disk.
#[divan::bench(sample_count = 10)]
fn journal_and_parquet_of_10_000_records(bencher: Bencher) {
    let events: Vec<Event> =
        (0..10_000).map(|index| Event::RequestSettled(Box::new(stored::record(index, 128)))).collect();
    bencher
        .counter(ItemsCount::new(events.len()))
        .with_inputs(|| tempfile::tempdir().map(|folder| (stored::stage(folder.path(), 10_000), folder)))
        .bench_local_values(|made| {
            let Ok((stage, folder)) = made else { panic!("the temporary folder cannot be written to") };
            let mut output = ParquetOutput::new();
            let (stage, end) = (Arc::new(stage), Box::new(stored::end(10_000)));
            let first = [Event::RunStarted(Arc::new(stored::run())), Event::StageStarted(stage.clone())];
            let last = [Event::StageFinished(stage, end)];
            let done = first.iter().chain(&events).chain(&last).try_for_each(|event| output.on_event(event));
            assert!(done.is_ok(), "{done:?}");
            folder
        });
}

/// 100 random prompts of 1,024 tokens with the tokenizer of the tests.
#[divan::bench(sample_count = 10)]
fn random_prompts_100_of_1024_tokens(bencher: Bencher) {
    let tokenizer = match Tokenizer::open(root().join("tests/data/tokenizer")) {
        Ok(tokenizer) => Arc::new(tokenizer),
        Err(error) => panic!("{error}"),
    };
    let spec = DatasetSpec {
        name: "random".into(),
        min_prompt_length: 1024,
        max_prompt_length: 1024,
        seed: 7,
        ..DatasetSpec::default()
    };
    let mut dataset = match dataset::open(&spec, &reply::config(), Some(tokenizer)) {
        Ok(dataset) => dataset,
        Err(error) => panic!("{error}"),
    };
    bencher.counter(ItemsCount::new(100_usize)).bench_local(|| {
        (0..100).step_by(16).map(|_| dataset.next(16).map_or(0, |made| made.len())).sum::<usize>()
    });
}
