"""The arguments of a benchmark: the flags of `tickrate perf`, with `_` for `-`.

Written by python/generate.py from the command itself; do not edit.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from .settings import Settings

Text = Union[str, "os.PathLike[str]"]
Json = Union[Mapping[str, Any], Sequence[Any], str]


@dataclasses.dataclass(kw_only=True, repr=False)
class Arguments(Settings):
    """What to measure, and how. An argument that is not given has the value of the environment variable of its
    flag (TICKRATE_MODEL and so on), or of the file that `config` names, or its default.

    Raises ValueError if a value is none that the flag takes.
    """

    config: Text | None = None
    """YAML, TOML or JSON file with any of the other arguments, each of which wins over it"""
    dry_run: bool | None = None
    """Print the stages, the time they take as far as it is known, and a sample request, and send nothing"""
    model: Text | None = None
    """Model name as the server knows it"""
    api: Text | None = None
    """API of the server: anthropic, dashscope, ollama, openai, openai_embedding, openai_rerank,
    openai_responses, tgi, or a .wasm component [default: "openai"]"""
    api_args: Json | None = None
    """Options of the API's own, as a JSON object or @FILE"""
    tokenizer_path: Text | None = None
    """Tokenizer: a folder with tokenizer.json, or the file itself. Needed for --dataset random and
    --tokenize-prompt, and for token counts where the server reports none"""
    url: Text | Sequence[Text] | None = None
    """Endpoint. A URL without a known path gets the API's. Several share the load: each conversation goes
    to one of them [default: "http://127.0.0.1:8877/v1/chat/completions"]"""
    api_key: Text | None = None
    """API key, sent as "Authorization: Bearer KEY" and shown nowhere"""
    headers: Text | Sequence[Text] | Mapping[str, Any] | None = None
    """Headers for every request"""
    connect_timeout: float | None = None
    """Longest wait for a connection, in seconds [default: none]"""
    read_timeout: float | None = None
    """Longest wait between two reads of a reply, in seconds [default: none]"""
    total_timeout: float | None = None
    """Longest time for one request, in seconds [default: 21600]"""
    clock: Literal["read", "kernel"] | None = None
    """What stamps the bytes of a reply: read, when they were read from the socket; kernel, when the system
    had received them, for http:// without a proxy [default: "read"]"""
    no_test_connection: bool | None = None
    """Do not try one request before the run"""
    parallel: int | Sequence[int] | None = None
    """Requests in flight at a time; several values make several stages [default: 1]"""
    number: int | Sequence[int] | None = None
    """Requests of each stage, one value for each --parallel [default: 1000, or all of a recording]"""
    rate: float | Sequence[float] | None = None
    """Pace arrivals at this many requests per second: within --parallel, or with --open-loop, where several
    values make several stages; -1 for no pacing [default: -1]"""
    open_loop: bool | None = None
    """Open loop: arrivals do not wait for answers; --parallel has no meaning"""
    arrival: Literal["poisson", "constant", "gamma"] | None = None
    """How the gaps between paced arrivals vary: poisson, constant or gamma [default: "poisson"]"""
    burstiness: float | None = None
    """Shape of --arrival gamma: 1 is Poisson, less comes in bursts, more is more regular [default: 1]"""
    ramp: Text | None = None
    """Change the rate linearly during each stage, from one value to another in so many seconds"""
    steps: Text | Sequence[Text] | Mapping[str, Any] | None = None
    """Change the rate in steps during each stage: each value for so many seconds"""
    max_concurrency: int | None = None
    """Most requests of an open loop in flight; what is due beyond that is recorded as not sent [default:
    none]"""
    warmup_num: float | None = None
    """Warm-up requests before each stage: a count, or a ratio of --number between 0 and 1. They are marked
    in the records and excluded from all figures [default: 0]"""
    duration: float | None = None
    """Start no request after this many seconds of a stage; those in flight are finished [default: none]"""
    sleep_interval: float | None = None
    """Rest between stages, in seconds [default: 5]"""
    retries: int | None = None
    """Try a failed request again so many times, after the wait that the server asks for (Retry-After); each
    attempt is a record [default: 0]"""
    cancel_rate: float | None = None
    """Share of requests that the client gives up on purpose, from 0 to 1 [default: 0]"""
    cancel_after: float | None = None
    """When it gives them up, in seconds after they were sent [default: 1]"""
    goodput: Text | Sequence[Text] | Mapping[str, Any] | None = None
    """Count requests within these limits, in milliseconds, as good: ttft:200 tpot:50 itl:50
    latency:10000"""
    sla_auto_tune: bool | None = None
    """Find the highest load that keeps a promise, instead of the stages of --parallel or --rate"""
    sla_variable: Literal["parallel", "rate"] | None = None
    """What is varied: parallel or rate; the search begins at the first --parallel or --rate [default:
    "parallel"]"""
    sla_params: Json | None = None
    """The promises as a JSON list or @FILE, such as '[{"p99_ttft": "<=2s", "p99_tpot": "<=50ms"}]'. In an
    object all must hold; each object is searched for on its own. Figures: avg_, p50_, p90_, p95_ and p99_
    with latency, ttft or tpot; rps; tps. Goals: <=, <, >= or > with a unit, max, min"""
    sla_num_runs: int | None = None
    """How often each load is measured; one that fails clearly is measured once [default: 3]"""
    sla_lower_bound: int | None = None
    """Lowest load to try [default: 1]"""
    sla_upper_bound: int | None = None
    """Highest load to try [default: 65536]"""
    sla_fixed_parallel: int | None = None
    """Requests in flight at a time while the rate is varied [default: no limit]"""
    sla_number_multiplier: float | None = None
    """Requests of a stage for each unit of load [default: 2]"""
    workers: int | None = None
    """Threads that send and read [default: half of the cores, at most 8]"""
    dataset: Text | None = None
    """Dataset: a built-in name, or a .wasm component [default: "openqa"]"""
    dataset_path: Text | None = None
    """File or folder of the dataset"""
    data_source: Literal["modelscope", "huggingface", "local"] | None = None
    """Where a dataset without a path and a tokenizer that is no path are downloaded from: modelscope,
    huggingface, or local for nowhere [default: modelscope]"""
    dataset_args: Json | None = None
    """Options of the dataset's own, as a JSON object or @FILE"""
    prompt: Text | None = None
    """One prompt for all requests, instead of a dataset: a text or @FILE"""
    query_template: Json | None = None
    """Body that requests start from, as a JSON object or @FILE; the flags overwrite its fields"""
    min_prompt_length: int | None = None
    """Shortest prompt, in tokens with a tokenizer, else in characters [default: 0]"""
    max_prompt_length: int | None = None
    """Longest prompt, in tokens with a tokenizer, else in characters [default: 131072]"""
    prefix_length: int | None = None
    """Tokens that all random prompts begin with, on top of their length [default: 0]"""
    apply_chat_template: bool | None = None
    """Send prompts as chats [default: if the API takes chats; openai by its URL]"""
    no_apply_chat_template: bool | None = None
    """Send prompts as plain text"""
    tokenize_prompt: bool | None = None
    """Send prompts as token ids, to the completions endpoint"""
    dataset_offset: int | None = None
    """Item of the dataset to begin with, from 0 [default: 0]"""
    multi_turn: bool | None = None
    """Send conversations, in which each turn sees the replies before it; --number counts them"""
    min_turns: int | None = None
    """Fewest turns of a conversation that is made up [default: 1]"""
    max_turns: int | None = None
    """Most turns of a conversation [default: as many as it has]"""
    image_width: int | None = None
    """Width of random pictures, in pixels [default: 224]"""
    image_height: int | None = None
    """Height of random pictures, in pixels [default: 224]"""
    image_format: Text | None = None
    """Colours of random pictures: RGB, RGBA or L (grey) [default: "RGB"]"""
    image_num: int | None = None
    """Random pictures in each request [default: 1]"""
    image_patch_size: int | None = None
    """Side of the square of pixels that is one token, where the server reports no count [default: 28]"""
    stream: bool | None = None
    """Stream the replies (the default)"""
    no_stream: bool | None = None
    """Ask for each reply as a whole; there is no TTFT then"""
    max_tokens: int | Sequence[int] | None = None
    """Most tokens to generate, or the two ends of a range to draw from for each request [default: 2048]"""
    min_tokens: int | None = None
    """Fewest tokens to generate"""
    temperature: float | None = None
    """Sampling temperature [default: 0]"""
    top_p: float | None = None
    """Nucleus sampling: the probability mass to keep"""
    top_k: int | None = None
    """Sample from this many most likely tokens"""
    seed: int | None = None
    """Seed of the server's sampling and of all random choices here [default: a new one for each run, so
    that a prefix cache does not know its prompts]"""
    stop: Text | Sequence[Text] | None = None
    """Texts that end a reply"""
    stop_token_ids: int | Sequence[int] | None = None
    """Token ids that end a reply"""
    logprobs: bool | None = None
    """Ask for log probabilities"""
    n_choices: int | None = None
    """Replies for each request"""
    frequency_penalty: float | None = None
    """Penalty by the frequency of tokens so far"""
    repetition_penalty: float | None = None
    """Penalty for tokens seen before"""
    extra_args: Json | None = None
    """Further fields of the body, as a JSON object or @FILE; they win over everything else"""
    plugin_timeout: float | None = None
    """Longest time for one call of a plugin, in seconds; opening it and drawing conversations from it may
    take ten times as long [default: 1]"""
    plugin_memory: int | None = None
    """Most memory for one instance of a plugin, in MiB [default: 256]"""
    plugin_allow: Text | Sequence[Text] | None = None
    """Let plugins use what all of them are refused: a folder to read (dir=PATH) or to write (dir=PATH:rw),
    an environment variable (env=NAME), a server (net=HOST or net=HOST:PORT)"""
    outputs_dir: Text | None = None
    """Folder that runs are collected in [default: "outputs"]"""
    no_timestamp: bool | None = None
    """Write to OUTPUTS_DIR/NAME, without a folder named for the time"""
    name: Text | None = None
    """Name of the run [default: the model's]"""
    visualizer: Literal["wandb", "swanlab", "clearml", "mlflow"] | None = None
    """Show the run in wandb, swanlab, clearml or mlflow as well, through its own Python SDK"""
    visualizer_python: Text | None = None
    """Python that has tickrate's package and the SDK [default: the one beside tickrate, else python3]"""
    visualizer_timeout: int | None = None
    """How long it may take to start, and to finish after the run, in seconds [default: 120]"""
    wandb_api_key: Text | None = None
    """Key of wandb, shown nowhere; implies --visualizer wandb [default: as wandb finds it]"""
    swanlab_api_key: Text | None = None
    """Key of swanlab, or local for a run on this machine; implies --visualizer swanlab"""
    swanlab_host: Text | None = None
    """Address of a swanlab of your own"""
    save_text: bool | None = None
    """Keep prompts and outputs in the records"""
    save_frames: bool | None = None
    """Keep the replies beside the records, in frames.parquet, so that "tickrate reparse" can parse them
    again"""
    compat: Literal["evalscope"] | None = None
    """Show and write the figures by the definitions of another tool as well: evalscope"""
    format: Literal["csv", "jsonl", "sqlite"] | Sequence[Literal["csv", "jsonl", "sqlite"]] | None = None
    """Write the records in these formats too, beside Parquet: csv, jsonl, sqlite"""
    timeline_interval: float | None = None
    """Length of the intervals of timeline.parquet, in seconds [default: 1]"""
    log_every_n_query: int | None = None
    """Log the progress every so many requests; 0 for never [default: 100]"""
    multi_turn_args: Json | None = None
    """Options of conversations; --dataset-args holds them now"""
    num_workers: int | None = None
    """Processes that make prompts"""
    db_commit_interval: int | None = None
    """Rows between commits to a database"""
    queue_size_multiplier: int | None = None
    """Size of a queue of results"""
    in_flight_task_multiplier: int | None = None
    """Tasks for each request in flight"""
    port: int | None = None
    """Port of a server that it starts"""
    attn_implementation: Text | None = None
    """How a server that it starts attends"""
    enable_progress_tracker: bool | None = None
    """Write the progress to a file"""
    debug: bool | None = None
    """Print each request"""
    fail_if: Text | Sequence[Text] | None = None
    """Exit with code 5 if this is true of a stage, such as 'p99_ttft > 500ms' or 'error_rate of parallel_10
    > 1%'. A figure that was not measured fails. docs/ci.md lists the figures"""
    junit: Text | None = None
    """Write stages and gates as a JUnit file"""
    step_summary: Text | None = None
    """Add a page in Markdown to this file [default: the one that GITHUB_STEP_SUMMARY names, if it is
    set]"""
    live: bool | None = None
    """Show the run on the whole terminal: charts over time, requests in flight, errors, the client. q
    leaves the view, and the run goes on"""
    dashboard: bool | Text | None = None
    """Serve the run on a web page of this machine: at a port, or at ADDRESS:PORT for others to see; 0 for
    any port that is free. Metrics for Prometheus are under /metrics"""
    prometheus: bool | Text | None = None
    """Serve the run's metrics for Prometheus under /metrics, likewise"""
    server_metrics: Text | None = None
    """Ask the server's own metrics for Prometheus at this URL during the run, for server_metrics.parquet"""
    server_metrics_interval: float | None = None
    """How often they are asked for, in seconds [default: 1]"""
    server_metrics_headers: Text | Sequence[Text] | Mapping[str, Any] | None = None
    """Headers for these requests"""
    progress_file: Text | None = None
    """Write the progress to this file, as JSON lines for programs"""
    progress_interval: float | None = None
    """How often a line is written to --progress-file, in seconds [default: 1]"""
    otlp: bool | Text | None = None
    """Send the run's metrics to an OpenTelemetry collector at this address (OTLP over HTTP, as JSON);
    without one, or with env, to that of OTEL_EXPORTER_OTLP_ENDPOINT, with OTEL_EXPORTER_OTLP_HEADERS"""
    otlp_headers: Text | Sequence[Text] | Mapping[str, Any] | None = None
    """Headers for the collector, shown nowhere"""
    otlp_interval: float | None = None
    """How often the metrics are sent, in seconds [default: 5]"""
    otlp_traces: bool | float | None = None
    """Send a span of each request as well, or of this share of them"""
