//! A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.
//! tickrate.zig is what plugins share.

const std = @import("std");
const tickrate = @import("tickrate");
const Allocator = std.mem.Allocator;

pub const name = "zig-dataset";
pub const version = "0.1.0";

/// What --dataset-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
pub const options_schema =
    \\{
    \\  "type": "object",
    \\  "properties": {
    \\    "turns": {"type": "integer", "minimum": 1, "maximum": 8, "description": "turns of each conversation"}
    \\  },
    \\  "additionalProperties": false
    \\}
;

pub const Dataset = struct {
    /// The lines of the files, or null where there is no file.
    lines: ?[]const []const u8,
    turns: usize,
    /// Random numbers come from tickrate: they follow from the seed of the run.
    random: *const fn () u64,
    given: usize = 0,

    /// Called once, before anything else; what it is given and makes stays. To begin again, tickrate makes a new
    /// instance.
    pub fn open(kept: Allocator, config: tickrate.RunConfig) tickrate.Error!Dataset {
        const options = try tickrate.json.configObject(kept, config.options);
        return .{
            .lines = if (config.dataset_path == null) null else try tickrate.lines(kept),
            .turns = @intCast(options.count("turns") orelse 1),
            .random = tickrate.host.random,
        };
    }

    /// At most so many further conversations; none means that there are no more. The arena is freed when tickrate
    /// has read them.
    pub fn next(self: *Dataset, arena: Allocator, at_most: u32) tickrate.Error![]const tickrate.Conversation {
        const left = if (self.lines) |lines| lines.len - self.given else at_most;
        const batch = try arena.alloc(tickrate.Conversation, @min(at_most, left));
        for (batch) |*conversation| conversation.* = try self.ask(arena);
        return batch;
    }

    fn ask(self: *Dataset, arena: Allocator) tickrate.Error!tickrate.Conversation {
        const number = self.given;
        self.given += 1;
        const turns = try arena.alloc(tickrate.Turn, self.turns);
        const question = if (self.lines) |lines| lines[number] else try sum(arena, number, self.random);
        for (turns, 0..) |*turn, i| turn.* = try tickrate.ask(arena, if (i == 0) question else "Are you sure?");
        return .{ .id = try std.fmt.allocPrint(arena, "question-{d}", .{number}), .turns = turns };
    }
};

/// A question about a sum.
fn sum(arena: Allocator, number: usize, random: *const fn () u64) Allocator.Error![]const u8 {
    const a = random() % 100;
    const b = random() % 100;
    return std.fmt.allocPrint(arena, "{d}. What is {d} + {d}?", .{ number, a, b });
}

const testing = std.testing;

const Numbers = struct {
    var next: usize = 0;

    fn random() u64 {
        defer next += 1;
        return ([_]u64{ 7, 205 })[next];
    }
};

test "sums follow from the random numbers" {
    const question = try sum(testing.allocator, 3, Numbers.random);
    defer testing.allocator.free(question);
    try testing.expectEqualStrings("3. What is 7 + 5?", question);
}

test "there are as many turns as asked for and no more questions than lines" {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    var dataset: Dataset = .{ .lines = &.{ "Why?", "How?" }, .turns = 2, .random = Numbers.random };
    try testing.expectEqual(1, (try dataset.next(arena.allocator(), 1)).len);
    const batch = try dataset.next(arena.allocator(), 9);
    try testing.expectEqual(1, batch.len);
    try testing.expectEqualStrings("question-1", batch[0].id.?);
    try testing.expectEqual(2, batch[0].turns.len);
    try testing.expectEqualStrings("Are you sure?", batch[0].turns[1].prompt.chat[0].content[0].text);
    try testing.expectEqual(0, (try dataset.next(arena.allocator(), 9)).len);
}
