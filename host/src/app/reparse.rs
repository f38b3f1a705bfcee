//! `tickrate reparse`: the replies that a run kept, parsed again by another API, with the times of
//! the run.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::exit::{AppError, Exit};
use super::parts::{self, Counter};
use crate::api::{self, ApiSpec};
use crate::config::{redact_options, secrets_of_options};
use crate::contract::{Api, RunConfig, TokenCounter};
use crate::engine;
use crate::output::console::Console;
use crate::output::frames::{self, KeptReplies};
use crate::output::parquet::ParquetOutput;
use crate::output::stored::{self, StoredStage};
use crate::output::summary::{self, Summary};
use crate::output::table::BasicInformation;
use crate::output::{Output, OutputError, recover};
use crate::plugin::{Grant, LimitsSpec, Role};
use crate::record::{
    Event, KeptReply, PluginIdentity, RequestKey, RequestRecord, RunHeader, StageEnd, StageHeader,
};

/// Records that are parsed together, on all processors.
const BATCH: usize = 256;

/// What is parsed again, and by whom.
#[derive(Debug, Clone)]
pub struct ReparseSpec {
    /// The folder of the run.
    pub folder: PathBuf,
    /// The folder of the new records; beside the run's if it is not given.
    pub out: Option<PathBuf>,
    /// A built-in API, or a component.
    pub api: String,
    /// The API's own options.
    pub api_args: Map<String, Value>,
    /// A tokenizer; that of the run if it is not given.
    pub tokenizer_path: Option<PathBuf>,
    /// The bounds of a component.
    pub limits: LimitsSpec,
    /// What a component may use.
    pub grants: Vec<Grant>,
}

/// Parses the kept replies of a run again and writes new records and summaries.
///
/// # Errors
/// If the run kept no replies, the API cannot be opened, or something cannot be read or written.
pub fn reparse(spec: &ReparseSpec) -> Result<Exit, AppError> {
    let usage = |error: OutputError| AppError::usage(error.to_string());
    let files = recover::find_records(&spec.folder);
    let Some(first) = files.first() else {
        let folder = spec.folder.display();
        return Err(AppError::usage(format!(
            "there are no records in \"{folder}\"; name the folder of a run"
        )));
    };
    for file in &files {
        frames::read(file.parent().unwrap_or(Path::new("."))).map_err(usage)?;
    }
    let out = out_folder(spec)?;
    let old = stored::read(first).map_err(usage)?.run;
    let opened = open(spec, &old)?;
    let console = Console::default();
    fs::create_dir_all(&out)
        .map_err(|error| AppError::usage(format!("--out: cannot make \"{}\": {error}", out.display())))?;
    console.log_to(&out.join("benchmark.log")).map_err(usage)?;
    let mut stages =
        files.iter().map(|file| stored::read(file)).collect::<Result<Vec<_>, _>>().map_err(usage)?;
    stages.sort_by_key(|stage| stage.stage.index);
    let work = Work { spec, out, opened, console };
    work.all(&old, stages).map_err(|error| AppError::new(Exit::Failed, error.to_string()))
}

/// Where the new records go: a folder that holds none.
fn out_folder(spec: &ReparseSpec) -> Result<PathBuf, AppError> {
    let out = match &spec.out {
        Some(out) => out.clone(),
        None => {
            let folder = spec.folder.canonicalize().unwrap_or_else(|_| spec.folder.clone());
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            folder.with_file_name(format!("{name}-reparsed"))
        }
    };
    if recover::find_records(&out).is_empty() {
        return Ok(out);
    }
    Err(AppError::usage(format!(
        "\"{}\" holds records already; give another folder with --out",
        out.display()
    )))
}

/// The API and what it needs.
struct Opened {
    api: Arc<dyn Api>,
    counter: Option<Arc<dyn TokenCounter>>,
    plugin: Option<PluginIdentity>,
}

fn open(spec: &ReparseSpec, old: &RunHeader) -> Result<Opened, AppError> {
    let told = |pointer: &str| old.config.pointer(pointer);
    let text = |pointer: &str| told(pointer).and_then(Value::as_str).unwrap_or_default().to_string();
    let run = RunConfig {
        model: text("/model"),
        url: text("/connection/url"),
        stream: told("/api/stream").and_then(Value::as_bool).unwrap_or(true),
        seed: told("/seed").and_then(Value::as_u64).unwrap_or_default(),
        parameters: told("/api/parameters").and_then(Value::as_object).cloned().unwrap_or_default(),
        options: spec.api_args.clone(),
        ..RunConfig::default()
    };
    let of_run = || told("/tokenizer_path").and_then(Value::as_str).map(PathBuf::from);
    let tokenizer = parts::open_tokenizer(spec.tokenizer_path.clone().or_else(of_run).as_deref())?;
    let at = |error: String| AppError::usage(format!("--api: {error}"));
    let (api, plugin) = if parts::is_component(&spec.api) {
        let plugin = parts::open_plugin("--api", &spec.api, spec.limits.clone(), &spec.grants)?;
        let services = parts::services(tokenizer.clone(), Arc::new(|_, _| ()));
        let api = plugin.api(&run, &services).map_err(|error| at(error.to_string()))?;
        (api, Some(plugin.identity(Role::Api)))
    } else {
        let api = api::open(&spec.api, &run, &ApiSpec::default(), tokenizer.clone());
        (api.map_err(|error| at(error.to_string()))?, None)
    };
    let counter = tokenizer.map(|tokenizer| {
        let chats = told("/prompt/apply_chat_template").and_then(Value::as_bool).unwrap_or(false);
        let patch_size = told("/prompt/images/patch_size").and_then(Value::as_u64).unwrap_or(28) as u32;
        Arc::new(Counter { tokenizer, chats, patch_size }) as Arc<dyn TokenCounter>
    });
    Ok(Opened { api, counter, plugin })
}

/// A reparsing in progress.
struct Work<'a> {
    spec: &'a ReparseSpec,
    out: PathBuf,
    opened: Opened,
    console: Console,
}

impl Work<'_> {
    fn all(&self, old: &RunHeader, stages: Vec<StoredStage>) -> Result<Exit, OutputError> {
        let header = Arc::new(self.header(old));
        let basic = BasicInformation {
            model: header.config.pointer("/model").and_then(Value::as_str).unwrap_or_default().to_string(),
            dataset: old
                .config
                .pointer("/prompt/dataset")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_string(),
            api: self.opened.api.name().to_string(),
            output_path: self.out.display().to_string(),
        };
        let mut outputs: Vec<Box<dyn Output>> = vec![
            Box::new(ParquetOutput::new()),
            Box::new(Summary::new(self.console.clone(), self.out.clone(), basic)),
        ];
        let mut tell = |event: Event| outputs.iter_mut().try_for_each(|output| output.on_event(&event));
        tell(Event::RunStarted(header.clone()))?;
        let mut ended = Vec::new();
        let (mut read, mut missing) = (0, 0);
        for stored in stages {
            let mut kept = Kept { replies: frames::read(&stored.stage.folder)?, waiting: HashMap::new() };
            let inside = stored.stage.folder.strip_prefix(&self.spec.folder).unwrap_or(Path::new(""));
            let stage = Arc::new(StageHeader { folder: self.out.join(inside), ..stored.stage });
            tell(Event::StageStarted(stage.clone()))?;
            let mut records = stored.records.peekable();
            while records.peek().is_some() {
                let mut batch = Vec::with_capacity(BATCH);
                for record in records.by_ref().take(BATCH) {
                    let record = record?;
                    let reply = match record.status {
                        Some(_) => kept.of(&record)?,
                        None => None,
                    };
                    read += u64::from(reply.is_some());
                    missing += u64::from(reply.is_none() && record.status.is_some());
                    batch.push((record, reply));
                }
                for record in self.parse(batch) {
                    tell(Event::RequestSettled(Box::new(record)))?;
                }
            }
            if let Some(end) = stored.end {
                tell(Event::StageFinished(stage.clone(), Box::new(end.clone())))?;
                ended.push((stage, end));
            }
        }
        tell(Event::RunFinished)?;
        self.write_run_file(old, &header, &ended)?;
        if missing > 0 {
            self.console
                .print(&format!("note: {missing} replies were not kept; their records are as they were"));
        }
        self.console.print(&format!("{read} replies were parsed again: {}", self.out.display()));
        Ok(Exit::Success)
    }

    /// Parses on as many threads as there are processors; the order stays.
    fn parse(&self, batch: Vec<(RequestRecord, Option<KeptReply>)>) -> Vec<RequestRecord> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = batch.len().div_ceil(threads).max(1);
        let secrets = secrets_of_options(&self.spec.api_args);
        let one = |(record, reply): (RequestRecord, Option<KeptReply>)| match reply {
            Some(reply) => engine::reread(
                self.opened.api.as_ref(),
                self.opened.counter.as_deref(),
                &secrets,
                record,
                &reply,
            ),
            None if record.status.is_some() => record,
            None => {
                let key = RequestKey { api: Arc::from(self.opened.api.name()), ..record.key };
                RequestRecord { key, ..record }
            }
        };
        let mut shares = Vec::new();
        let mut batch = batch.into_iter().peekable();
        while batch.peek().is_some() {
            shares.push(batch.by_ref().take(share).collect::<Vec<_>>());
        }
        std::thread::scope(|scope| {
            let one = &one;
            let threads: Vec<_> = shares
                .into_iter()
                .map(|share| scope.spawn(move || share.into_iter().map(one).collect::<Vec<_>>()))
                .collect();
            let joined = threads.into_iter().map(|thread| match thread.join() {
                Ok(records) => records,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.flatten().collect()
        })
    }

    /// The run's header, with the API that parses now.
    fn header(&self, old: &RunHeader) -> RunHeader {
        let mut header = old.clone();
        header.tickrate_version = env!("CARGO_PKG_VERSION").to_string();
        if let Some(api) = header.config.get_mut("api") {
            api["api"] = json!(self.spec.api);
            api["api_args"] = redact_options(&self.spec.api_args);
        }
        header.plugins.retain(|plugin| plugin.role != "api");
        header.plugins.extend(self.opened.plugin.clone());
        header
    }

    fn write_run_file(
        &self,
        old: &RunHeader,
        header: &RunHeader,
        ended: &[(Arc<StageHeader>, StageEnd)],
    ) -> Result<(), OutputError> {
        let stages: Vec<_> =
            ended.iter().map(|(stage, end)| json!({"stage": stage.as_ref(), "end": end})).collect();
        let mut file = json!(header);
        file["stages"] = json!(stages);
        file["reparsed"] = json!({
            "folder": self.spec.folder.display().to_string(),
            "api": old.config.pointer("/api/api"),
            "plugins": old.plugins,
        });
        summary::write(&self.out.join("run.json"), &format!("{file:#}\n"))
    }
}

/// The kept replies of a stage, found by their requests. They come in about the order of the records.
struct Kept {
    replies: KeptReplies,
    waiting: HashMap<(String, u32), KeptReply>,
}

impl Kept {
    fn of(&mut self, record: &RequestRecord) -> Result<Option<KeptReply>, OutputError> {
        let wanted = (record.key.request_id.clone(), record.key.attempt);
        if let Some(reply) = self.waiting.remove(&wanted) {
            return Ok(Some(reply));
        }
        for reply in self.replies.by_ref() {
            let reply = reply?;
            let key = (reply.request_id.clone(), reply.attempt);
            if key == wanted {
                return Ok(Some(reply));
            }
            self.waiting.insert(key, reply);
        }
        Ok(None)
    }
}
