//! The functions that tickrate calls, around what a plugin declares: `name`, `version`, `options_schema`, and a
//! type `Api` or `Dataset`, or both with `dataset_options_schema`. `tickrate plugin build` compiles this file with
//! the plugin as the module "plugin".

const std = @import("std");
const plugin = @import("plugin");
const tickrate = @import("tickrate");
const abi = tickrate.abi;
const Allocator = std.mem.Allocator;

/// What is there for as long as the instance: all that `open` was given and made.
var kept: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);
/// What is there for one call.
var call: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);
var opened = false;

/// Memory of a call that is kept for the next one, in bytes.
const at_hand = 1 << 20;

fn memory() Allocator {
    if (tickrate.host.inbox) |arena| return arena;
    return if (opened) call.allocator() else kept.allocator();
}

/// A panic is a line in the run's log and the end of the instance.
pub const panic = std.debug.FullPanic(struct {
    fn end(message: []const u8, _: ?usize) noreturn {
        tickrate.host.log(.@"error", message);
        @trap();
    }
}.end);

/// Where tickrate puts what it gives.
fn reallocate(old: [*]u8, old_size: usize, multiple: usize, new_size: usize) callconv(.c) [*]u8 {
    const new = abi.room(memory(), multiple, new_size) catch @trap();
    @memcpy(new[0..@min(old_size, new_size)], old[0..@min(old_size, new_size)]);
    return new;
}

/// Called when tickrate has read an answer.
fn answered(_: [*]u8) callconv(.c) void {
    _ = call.reset(.{ .retain_with_limit = at_hand });
}

/// The same for the answer of `open`.
fn openAnswered(_: [*]u8) callconv(.c) void {
    opened = true;
}

fn put(comptime T: type, value: T) [*]u8 {
    const at = abi.room(memory(), abi.alignment(T), abi.size(T)) catch @trap();
    abi.store(T, value, memory(), at) catch @trap();
    return at;
}

/// The items of a list that a function of the plugin gets.
fn given(comptime Item: type, first: [*]const u8, count: usize) []const Item {
    return abi.items(Item, memory(), first, count) catch @trap();
}

/// Puts what a function of the plugin returned.
fn answer(comptime T: type, returned: anyerror!T) [*]u8 {
    const result: abi.Result(T, tickrate.PluginError) = if (returned) |value|
        .{ .ok = value }
    else |err|
        .{ .err = if (err == error.Refused) tickrate.refusal else .{ .internal = @errorName(err) } };
    return put(@TypeOf(result), result);
}

fn name() callconv(.c) [*]u8 {
    return put([]const u8, plugin.name);
}

fn version() callconv(.c) [*]u8 {
    return put([]const u8, plugin.version);
}

/// A plugin that is both may take other options as a dataset, which is the role 0.
fn optionsSchema(role: u32) callconv(.c) [*]u8 {
    if (@hasDecl(plugin, "dataset_options_schema") and role == 0) {
        return put([]const u8, plugin.dataset_options_schema);
    }
    return put([]const u8, plugin.options_schema);
}

/// What was opened, and the function that opens it. Records of no more than sixteen numbers come as these
/// numbers, and all that a plugin gets are such records.
fn Opened(comptime T: type) type {
    return struct {
        var it: T = undefined;

        fn open(
            model: [*]const u8,
            model_bytes: usize,
            url: [*]const u8,
            url_bytes: usize,
            stream: u32,
            seed: u64,
            expected: u64,
            parameters: [*]const u8,
            parameters_bytes: usize,
            options: [*]const u8,
            options_bytes: usize,
            has_path: u32,
            path: [*]const u8,
            path_bytes: usize,
        ) callconv(.c) [*]u8 {
            return answer(void, openWith(.{
                .model = model[0..model_bytes],
                .url = url[0..url_bytes],
                .stream = stream != 0,
                .seed = seed,
                .expected = expected,
                .parameters = parameters[0..parameters_bytes],
                .options = options[0..options_bytes],
                .dataset_path = if (has_path == 0) null else path[0..path_bytes],
            }));
        }

        fn openWith(config: tickrate.RunConfig) !void {
            it = try T.open(memory(), config);
        }
    };
}

fn shape(
    request_id: [*]const u8,
    request_id_bytes: usize,
    conversation_id: [*]const u8,
    conversation_id_bytes: usize,
    turn_index: u32,
    history: [*]const u8,
    history_count: usize,
    prompt_kind: u32,
    prompt: [*]const u8,
    prompt_count: usize,
    has_max_tokens: u32,
    max_tokens: u32,
    has_think_time: u32,
    think_time_ms: f64,
    headers: [*]const u8,
    header_count: usize,
) callconv(.c) [*]u8 {
    return answer(tickrate.HttpRequest, Opened(plugin.Api).it.shape(memory(), .{
        .request_id = request_id[0..request_id_bytes],
        .conversation_id = conversation_id[0..conversation_id_bytes],
        .turn_index = turn_index,
        .history = given(tickrate.Message, history, history_count),
        .turn = .{
            .prompt = switch (@as(std.meta.Tag(tickrate.Prompt), @enumFromInt(prompt_kind))) {
                .text => .{ .text = prompt[0..prompt_count] },
                .tokens => .{ .tokens = given(u32, prompt, prompt_count) },
                .chat => .{ .chat = given(tickrate.Message, prompt, prompt_count) },
                .body => .{ .body = prompt[0..prompt_count] },
            },
            .max_tokens = if (has_max_tokens == 0) null else max_tokens,
            .think_time_ms = if (has_think_time == 0) null else think_time_ms,
            .headers = given(tickrate.Pair, headers, header_count),
        },
    }));
}

fn parse(
    status: u32,
    has_type: u32,
    type_at: [*]const u8,
    type_bytes: usize,
    framing: u32,
    complete: u32,
    payload: [*]const u8,
    payload_bytes: usize,
    frames: [*]const u8,
    frame_count: usize,
) callconv(.c) [*]u8 {
    return answer(tickrate.Outcome, Opened(plugin.Api).it.parse(memory(), .{
        .status = @intCast(status),
        .content_type = if (has_type == 0) null else type_at[0..type_bytes],
        .framing = @fromBackingInt(@intCast(framing)),
        .complete = complete != 0,
        .payload = payload[0..payload_bytes],
        .frames = given(tickrate.FrameMark, frames, frame_count),
    }));
}

fn next(at_most: u32) callconv(.c) [*]u8 {
    return answer([]const tickrate.Conversation, Opened(plugin.Dataset).it.next(memory(), at_most));
}

fn exported(comptime function: anytype, comptime in: []const u8, comptime called: []const u8) void {
    const full = "tickrate:plugin/" ++ in ++ "@0.1.0#" ++ called;
    const opens = std.mem.eql(u8, called, "open");
    @export(function, .{ .name = full });
    @export(if (opens) &openAnswered else &answered, .{ .name = "cabi_post_" ++ full });
}

comptime {
    @export(&reallocate, .{ .name = "cabi_realloc" });
    exported(&name, "info", "name");
    exported(&version, "info", "version");
    exported(&optionsSchema, "info", "options-schema");
    if (@hasDecl(plugin, "Api")) {
        exported(&Opened(plugin.Api).open, "api", "open");
        exported(&shape, "api", "shape");
        exported(&parse, "api", "parse");
    }
    if (@hasDecl(plugin, "Dataset")) {
        exported(&Opened(plugin.Dataset).open, "dataset", "open");
        exported(&next, "dataset", "next");
    }
}
