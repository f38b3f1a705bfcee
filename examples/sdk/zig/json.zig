//! JSON as `std.json` reads it, with what replies and options are asked for.

const std = @import("std");
const Allocator = std.mem.Allocator;
const tickrate = @import("tickrate.zig");

/// A JSON object.
pub const Object = struct {
    members: std.json.ObjectMap,

    fn get(self: Object, name: []const u8) std.json.Value {
        return self.members.get(name) orelse .null;
    }

    /// The text in a member; null if it is no string.
    pub fn text(self: Object, name: []const u8) ?[]const u8 {
        return switch (self.get(name)) {
            .string => |string| string,
            else => null,
        };
    }

    /// The count in a member; null if it is no whole number from 0 on.
    pub fn count(self: Object, name: []const u8) ?u64 {
        return switch (self.get(name)) {
            .integer => |number| std.math.cast(u64, number),
            .number_string => |digits| std.fmt.parseInt(u64, digits, 10) catch null,
            else => null,
        };
    }
};

/// The JSON object in `data`; null if it is something else.
pub fn object(arena: Allocator, data: []const u8) Allocator.Error!?Object {
    const options: std.json.ParseOptions = .{ .duplicate_field_behavior = .use_last };
    const value = std.json.parseFromSliceLeaky(std.json.Value, arena, data, options) catch |err| switch (err) {
        error.OutOfMemory => return error.OutOfMemory,
        else => return null,
    };
    return switch (value) {
        .object => |members| .{ .members = members },
        else => null,
    };
}

/// The options or the parameters of a run's configuration.
pub fn configObject(arena: Allocator, text: []const u8) tickrate.Error!Object {
    return try object(arena, text) orelse
        tickrate.refuse(.invalid_config, "the options and the parameters have to be JSON objects");
}

/// A text that is JSON already, to be written as it is.
pub const Written = struct {
    text: []const u8,

    pub fn jsonStringify(self: Written, writer: anytype) !void {
        try writer.print("{s}", .{self.text});
    }
};

/// A value as JSON; members that are null are left out.
pub fn write(arena: Allocator, value: anytype) Allocator.Error![]const u8 {
    return std.json.Stringify.valueAlloc(arena, value, .{ .emit_null_optional_fields = false });
}

test "what is no object of JSON in UTF-8 is none" {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    for ([_][]const u8{ "{", "", "[]", "{} x", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}", "{\"a\":01}" }) |data| {
        try std.testing.expectEqual(null, try object(arena.allocator(), data));
    }
    const read = (try object(arena.allocator(), " {\"a\":18446744073709551615,\"b\":-1,\"c\":1.0,\"a\":2} ")).?;
    try std.testing.expectEqual(2, read.count("a"));
    try std.testing.expectEqual(null, read.count("b") orelse read.count("c") orelse read.count("d"));
}
