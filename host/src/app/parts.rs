//! Config → the parts of a run: built-ins or components, which nobody further down can tell apart.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::exit::AppError;
use super::fetch;
use crate::api::{self, ApiSpec, MaxTokensRange};
use crate::config::Config;
use crate::contract::{
    Api, Dataset, Message, Part, PartError, Prompt, RunConfig, TokenCounter, TurnInContext,
};
use crate::dataset::{self, DatasetSpec};
use crate::output::console::Console;
use crate::plugin::{Grant, HostTokenizer, LimitsSpec, Log, Plugin, Role, Runtime, Services};
use crate::record::PluginIdentity;
use crate::tokenizer::Tokenizer;

/// Everything that a run is composed of, besides its transport and its outputs.
pub(super) struct Parts {
    pub(super) dataset: Box<dyn Dataset>,
    pub(super) api: Arc<dyn Api>,
    /// The same API for the connection test: it asks for as little output as it can.
    pub(super) test_api: Arc<dyn Api>,
    pub(super) counter: Option<Arc<dyn TokenCounter>>,
    pub(super) plugins: Vec<PluginIdentity>,
}

/// Opens all parts. The first that cannot be opened ends the run before it begins.
pub(super) fn open(config: &Config, console: &Console) -> Result<Parts, AppError> {
    let opener = Opener::new(config, console)?;
    let (api, test_api, api_plugin) = opener.api()?;
    // It may have to be downloaded, which is worth while only once all else is known to be there.
    let (dataset, dataset_plugin) = opener.dataset(console)?;
    for note in dataset.facts().notes {
        console.print(&format!("note: {note}"));
    }
    Ok(Parts {
        dataset,
        api,
        test_api,
        counter: opener.tokenizer.map(|tokenizer| {
            Arc::new(Counter {
                tokenizer,
                chats: config.prompt.apply_chat_template,
                patch_size: config.prompt.images.patch_size,
            }) as Arc<dyn TokenCounter>
        }),
        plugins: api_plugin.into_iter().chain(dataset_plugin).collect(),
    })
}

struct Opener<'a> {
    config: &'a Config,
    tokenizer: Option<Arc<Tokenizer>>,
    runtime: Option<Runtime>,
    services: Services,
}

/// What a plugin is offered outside of a run: a tokenizer, and a log that goes to the standard
/// error stream, or that nobody reads.
///
/// # Errors
/// If there is no tokenizer at `tokenizer_path`.
pub fn plugin_services(tokenizer_path: Option<&Path>, log: bool) -> Result<Services, AppError> {
    let tokenizer = open_tokenizer(tokenizer_path)?;
    let log = if log {
        Arc::new(|level: &str, text: &str| drop(writeln!(std::io::stderr(), "{level}: {text}")))
    } else {
        Services::none().log
    };
    Ok(services(tokenizer, log))
}

/// What a plugin is offered.
pub(super) fn services(tokenizer: Option<Arc<Tokenizer>>, log: Log) -> Services {
    let for_plugins = |tokenizer| Arc::new(ForPlugins(tokenizer)) as Arc<dyn HostTokenizer>;
    Services { tokenizer: tokenizer.map(for_plugins), log }
}

/// Opens the component `name`, which `flag` names.
pub(super) fn open_plugin(
    flag: &str,
    name: &str,
    limits: LimitsSpec,
    grants: &[Grant],
) -> Result<Plugin, AppError> {
    let runtime = Runtime::new(limits).and_then(|runtime| runtime.allowing(grants));
    let runtime = runtime.map_err(|error| AppError::usage(error.to_string()))?;
    Plugin::find(&runtime, name).map_err(|error| at(flag, error))
}

pub(super) fn open_tokenizer(path: Option<&Path>) -> Result<Option<Arc<Tokenizer>>, AppError> {
    let Some(path) = path else { return Ok(None) };
    let tokenizer =
        Tokenizer::open(path).map_err(|error| AppError::usage(format!("--tokenizer-path: {error}")))?;
    Ok(Some(Arc::new(tokenizer)))
}

impl<'a> Opener<'a> {
    fn new(config: &'a Config, console: &Console) -> Result<Opener<'a>, AppError> {
        let tokenizer = open_tokenizer(fetch::tokenizer(config, console)?.as_deref())?;
        let plugged = is_component(&config.api.api) || is_component(&config.prompt.dataset);
        let runtime = if plugged {
            let runtime =
                Runtime::new(limits(config)).and_then(|runtime| runtime.allowing(&config.plugins.allow));
            Some(runtime.map_err(|error| AppError::usage(error.to_string()))?)
        } else {
            None
        };
        let log = console.clone();
        let secrets = config.secrets();
        let note = move |level: &str, text: &str| {
            let text =
                secrets.iter().fold(text.to_string(), |text, secret| text.replace(secret, "[redacted]"));
            log.note(&format!("{level}: {text}"));
        };
        let services = services(tokenizer.clone(), Arc::new(note));
        Ok(Opener { config, tokenizer, runtime, services })
    }

    fn dataset(&self, console: &Console) -> Result<(Box<dyn Dataset>, Option<PluginIdentity>), AppError> {
        let prompt = &self.config.prompt;
        let run = self.run_config(&prompt.dataset_args);
        if prompt.prompt.is_none()
            && let Some(plugin) = self.component("--dataset", &prompt.dataset)?
        {
            let dataset = plugin.dataset(&run, &self.services).map_err(|error| at("--dataset", error))?;
            return Ok((dataset, Some(plugin.identity(Role::Dataset))));
        }
        let spec = DatasetSpec {
            name: prompt.dataset.clone(),
            path: fetch::dataset(self.config, console)?,
            min_prompt_length: prompt.min_prompt_length as usize,
            max_prompt_length: prompt.max_prompt_length as usize,
            prefix_length: prompt.prefix_length as usize,
            prompt: prompt.prompt.clone(),
            apply_chat_template: prompt.apply_chat_template,
            tokenize_prompt: prompt.tokenize_prompt,
            multi_turn: prompt.multi_turn,
            min_turns: prompt.min_turns,
            max_turns: prompt.max_turns,
            dataset_offset: prompt.dataset_offset,
            images: prompt.images.clone(),
            seed: self.config.seed,
            options: prompt.dataset_args.clone(),
        };
        let dataset =
            dataset::open(&spec, &run, self.tokenizer.clone()).map_err(|error| at("--dataset", error))?;
        Ok((dataset, None))
    }

    #[allow(clippy::type_complexity)]
    fn api(&self) -> Result<(Arc<dyn Api>, Arc<dyn Api>, Option<PluginIdentity>), AppError> {
        let config = &self.config.api;
        let run = self.run_config(&config.api_args);
        let test = RunConfig { parameters: least_output(&config.api, &run.parameters), ..run.clone() };
        if let Some(plugin) = self.component("--api", &config.api)? {
            let open = |run| plugin.api(run, &self.services).map_err(|error| at("--api", error));
            return Ok((open(&run)?, open(&test)?, Some(plugin.identity(Role::Api))));
        }
        let spec = ApiSpec {
            query_template: config
                .query_template
                .as_ref()
                .map(|template| Value::Object(template.clone()).to_string()),
            max_tokens: Some(MaxTokensRange { min: config.max_tokens.0, max: config.max_tokens.1 })
                .filter(|range| range.min != range.max),
            extra_fields: config.extra_fields.clone(),
        };
        let open = |run| {
            api::open(&config.api, run, &spec, self.tokenizer.clone()).map_err(|error| at("--api", error))
        };
        Ok((open(&run)?, open(&test)?, None))
    }

    /// The component that `name` is a file of; `None` if it is the name of a built-in.
    fn component(&self, flag: &str, name: &str) -> Result<Option<Plugin>, AppError> {
        match &self.runtime {
            Some(runtime) if is_component(name) => {
                Plugin::find(runtime, name).map(Some).map_err(|error| at(flag, error))
            }
            _ => Ok(None),
        }
    }

    fn run_config(&self, options: &Map<String, Value>) -> RunConfig {
        let config = self.config;
        let number = config.load.number.iter().copied().max().unwrap_or(0);
        RunConfig {
            model: config.model.clone(),
            url: config.connection.url.clone(),
            stream: config.api.stream,
            seed: config.seed,
            expected: number + config.load.warmup.of(number),
            parameters: config.api.parameters.clone(),
            options: options.clone(),
            dataset_path: config.prompt.dataset_path.clone(),
        }
    }
}

/// Whether `name` is a component's file and not the name of a built-in.
pub(super) fn is_component(name: &str) -> bool {
    name.ends_with(".wasm") || name.ends_with(".wat") || name.contains(std::path::MAIN_SEPARATOR)
}

fn at(flag: &str, error: impl std::fmt::Display) -> AppError {
    AppError::usage(format!("{flag}: {error}"))
}

/// The parameters of a request that should be cheap to answer.
fn least_output(api: &str, parameters: &Map<String, Value>) -> Map<String, Value> {
    let mut out = parameters.clone();
    out.shift_remove("min_tokens");
    out.insert("max_tokens".into(), Value::from(api::least_tokens(api)));
    out
}

fn limits(config: &Config) -> LimitsSpec {
    let timeout = std::time::Duration::from_secs_f64(config.plugins.timeout_s);
    LimitsSpec {
        memory: (config.plugins.memory_mib as usize) << 20,
        call: timeout,
        open: timeout * 10,
        next: timeout * 10,
        ..LimitsSpec::default()
    }
}

/// Counts with the run's tokenizer.
pub(super) struct Counter {
    pub(super) tokenizer: Arc<Tokenizer>,
    /// Whether prompts are sent as chats, so that the template's own tokens count.
    pub(super) chats: bool,
    /// The side of the square of a picture's pixels that is one token.
    pub(super) patch_size: u32,
}

impl Counter {
    /// Tokens of the pictures whose size is known.
    fn count_images(&self, messages: &[Message]) -> u64 {
        let patches = |pixels: u32| u64::from(pixels.div_ceil(self.patch_size.max(1)));
        let parts = messages.iter().flat_map(|message| &message.content);
        let sizes = parts.filter_map(|part| match part {
            Part::Image(media) => dataset::dimensions(media),
            _ => None,
        });
        sizes.map(|(width, height)| patches(width) * patches(height)).sum()
    }
}

impl TokenCounter for Counter {
    fn count_text(&self, text: &str) -> Result<u64, PartError> {
        let count = self.tokenizer.count(text).map_err(|error| PartError::Internal(error.to_string()))?;
        Ok(count as u64)
    }

    fn count_prompt(&self, turn: &TurnInContext) -> Result<Option<u64>, PartError> {
        match &turn.turn.prompt {
            Prompt::Text(text) => self.count_text(text).map(Some),
            Prompt::Tokens(ids) => Ok(Some(ids.len() as u64)),
            Prompt::Body(_) => Ok(None),
            Prompt::Chat(messages) => {
                let mut all = (*turn.history).clone();
                all.extend(messages.iter().cloned());
                let images = self.count_images(&all);
                if self.chats && self.tokenizer.has_chat_template() {
                    let count = self.tokenizer.count_chat(&all);
                    return count
                        .map(|n| Some(n as u64 + images))
                        .map_err(|error| PartError::Internal(error.to_string()));
                }
                let mut sum = images;
                for part in all.iter().flat_map(|message| &message.content) {
                    if let Part::Text(text) = part {
                        sum += self.count_text(text)?;
                    }
                }
                Ok(Some(sum))
            }
        }
    }
}

/// The run's tokenizer as plugins see it.
struct ForPlugins(Arc<Tokenizer>);

impl HostTokenizer for ForPlugins {
    fn count(&self, text: &str) -> Result<usize, String> {
        self.0.count(text).map_err(|error| error.to_string())
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.0.encode(text).map_err(|error| error.to_string())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.0.decode(tokens).map_err(|error| error.to_string())
    }
}
