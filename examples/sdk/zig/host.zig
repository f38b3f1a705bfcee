//! What tickrate offers to a plugin; `wit/host.wit` says more of each. What fails says why as a `Refused`.

const std = @import("std");
const abi = @import("abi.zig");
const types = @import("types.zig");
const tickrate = @import("tickrate.zig");
const Allocator = std.mem.Allocator;

const imports = struct {
    extern "tickrate:plugin/host@0.1.0" fn log(level: u32, text: [*]const u8, bytes: usize) void;
    extern "tickrate:plugin/host@0.1.0" fn count(text: [*]const u8, bytes: usize, result: [*]u8) void;
    extern "tickrate:plugin/host@0.1.0" fn encode(text: [*]const u8, bytes: usize, result: [*]u8) void;
    extern "tickrate:plugin/host@0.1.0" fn decode(tokens: [*]const u32, number: usize, result: [*]u8) void;
    extern "tickrate:plugin/host@0.1.0" fn random() u64;
    extern "tickrate:plugin/host@0.1.0" fn files(result: [*]u8) void;
    extern "tickrate:plugin/host@0.1.0" fn read(name: [*]const u8, bytes: usize, from: u64, most: u32, to: [*]u8) void;
};

/// Where the answer to a call of the host goes, while there is one.
pub var inbox: ?Allocator = null;

/// Writes one line to the run's log.
pub fn log(level: types.Level, text: []const u8) void {
    imports.log(@backingInt(level), text.ptr, text.len);
}

/// How many tokens `text` has. It fails where the run has no tokenizer.
pub fn count(arena: Allocator, text: []const u8) tickrate.Error!u32 {
    var result: Space(u32) = undefined;
    inbox = arena;
    imports.count(text.ptr, text.len, &result);
    return told(u32, arena, &result);
}

/// The tokens of `text`. It fails where the run has no tokenizer.
pub fn encode(arena: Allocator, text: []const u8) tickrate.Error![]const u32 {
    var result: Space([]const u32) = undefined;
    inbox = arena;
    imports.encode(text.ptr, text.len, &result);
    return told([]const u32, arena, &result);
}

/// The text of `tokens`. It fails where the run has no tokenizer, or no such token.
pub fn decode(arena: Allocator, tokens: []const u32) tickrate.Error![]const u8 {
    var result: Space([]const u8) = undefined;
    inbox = arena;
    imports.decode(tokens.ptr, tokens.len, &result);
    return told([]const u8, arena, &result);
}

/// The next of a series of random numbers that depends on the run's seed alone.
pub fn random() u64 {
    return imports.random();
}

/// The files given with `--dataset-path`, sorted by name.
pub fn files(arena: Allocator) tickrate.Error![]const types.File {
    var result: Space([]const types.File) = undefined;
    inbox = arena;
    imports.files(&result);
    return told([]const types.File, arena, &result);
}

/// At most `length` bytes of a file, from `offset`; fewer at its end, none behind it.
pub fn read(arena: Allocator, name: []const u8, offset: u64, length: u32) tickrate.Error![]const u8 {
    var result: Space([]const u8) = undefined;
    inbox = arena;
    imports.read(name.ptr, name.len, offset, length, &result);
    return told([]const u8, arena, &result);
}

fn Answer(comptime T: type) type {
    return abi.Result(T, []const u8);
}

/// Where the host puts an answer.
fn Space(comptime T: type) type {
    return [abi.size(Answer(T))]u8;
}

fn told(comptime T: type, arena: Allocator, result: [*]const u8) tickrate.Error!T {
    inbox = null;
    return switch (try abi.load(Answer(T), arena, result)) {
        .ok => |value| value,
        .err => |reason| tickrate.refuse(.invalid_data, reason),
    };
}
