//! The contract (`wit/types.wit`, which says more of each member) as Zig has it: a record is a struct with its
//! fields in the same order, a variant a tagged union, a list a slice. `abi.zig` knows how they cross the boundary.

pub const Pair = struct { name: []const u8, value: []const u8 };

/// Bytes with their MIME type.
pub const Media = struct { mime: []const u8, data: []const u8 };

/// One piece of a message's content; `json` is a part in the API's own JSON.
pub const Part = union(enum) { text: []const u8, image: Media, audio: Media, json: []const u8 };

/// One message of a chat. `fields` are further members, each with its value as JSON text.
pub const Message = struct {
    role: []const u8,
    content: []const Part,
    fields: []const Pair = &.{},
};

/// What a turn asks; `body` is a whole request body in the API's own JSON.
pub const Prompt = union(enum) {
    text: []const u8,
    tokens: []const u32,
    chat: []const Message,
    body: []const u8,
};

/// One user turn. Its `max_tokens` win over the run's own parameter.
pub const Turn = struct {
    prompt: Prompt,
    max_tokens: ?u32 = null,
    think_time_ms: ?f64 = null,
    headers: []const Pair = &.{},
};

/// A sequence of turns, at least one. It arrives so many milliseconds after the start of the stage, where the
/// dataset says so.
pub const Conversation = struct {
    id: ?[]const u8 = null,
    turns: []const Turn,
    arrival_ms: ?f64 = null,
    labels: []const Pair = &.{},
};

/// A turn as it is about to be sent, with the messages before it.
pub const TurnInContext = struct {
    request_id: []const u8,
    conversation_id: []const u8,
    turn_index: u32,
    history: []const Message,
    turn: Turn,
};

/// The facts of the run. `parameters` and `options` are texts of one JSON object each.
pub const RunConfig = struct {
    model: []const u8,
    url: []const u8,
    stream: bool,
    seed: u64,
    expected: u64,
    parameters: []const u8,
    options: []const u8,
    dataset_path: ?[]const u8,
};

/// Why a plugin could not do what it was asked to: `tickrate.refuse` returns it.
pub const PluginError = union(enum) {
    invalid_config: []const u8,
    invalid_data: []const u8,
    unsupported: []const u8,
    internal: []const u8,
};

/// How a reply's bytes divide into frames.
pub const Framing = enum(u8) { sse, ndjson, raw, whole };

/// A request, ready to be sent.
pub const HttpRequest = struct {
    method: []const u8,
    url: []const u8,
    headers: []const Pair,
    body: []const u8,
    framing: Framing,
};

/// One frame of a reply: its bytes are `payload[start..end]`, and its last one was read `at_ns` nanoseconds
/// after the request was sent. `event` is the name of the SSE event, where there is one.
pub const FrameMark = struct { at_ns: i64, event: ?[]const u8, start: u32, end: u32 };

/// A successful reply, whole. `complete` says whether it was read to its end.
pub const Reply = struct {
    status: u16 = 200,
    content_type: ?[]const u8 = null,
    framing: Framing,
    complete: bool = true,
    payload: []const u8,
    frames: []const FrameMark,
};

/// What kind of output a frame carried.
pub const OutputKind = enum(u8) { content, reasoning, tool_call };

/// A frame that carried output: so many bytes of the outcome's text.
pub const OutputFrame = struct { frame: u32, kind: OutputKind, text_bytes: u32, tokens: ?u32 };

/// Token counts as the server reports them; any of them may be missing.
pub const Usage = struct {
    input_tokens: ?u64 = null,
    output_tokens: ?u64 = null,
    reasoning_tokens: ?u64 = null,
    cached_tokens: ?u64 = null,
};

/// The failures that only a plugin can see, since they are in the words of a reply.
pub const FailureKind = enum(u8) { stream_error, invalid_reply, empty_reply, truncated };

pub const Failure = struct { kind: FailureKind, message: []const u8 };

/// What a plugin made of a reply. The `text_bytes` of the outputs add up to the length of `text`.
pub const Outcome = struct {
    outputs: []const OutputFrame = &.{},
    text: []const u8 = "",
    usage: Usage = .{},
    finish_reason: ?[]const u8 = null,
    failure: ?Failure = null,
    labels: []const Pair = &.{},
};

/// What a plugin can be used for.
pub const Role = enum(u8) { dataset, api };

/// How much a line of the log matters.
pub const Level = enum(u8) { debug, info, warn, @"error" };

/// A file of the dataset, and its size.
pub const File = struct { name: []const u8, bytes: u64 };
