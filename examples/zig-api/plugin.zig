//! A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.
//! protocol.md beside the examples says what the server speaks, tickrate.zig is what plugins share.

const std = @import("std");
const tickrate = @import("tickrate");
const Allocator = std.mem.Allocator;

pub const name = "zig-api";
pub const version = "0.1.0";

/// What --api-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
pub const options_schema =
    \\{
    \\  "type": "object",
    \\  "properties": {"system": {"type": "string", "description": "a system message before every chat"}},
    \\  "additionalProperties": false
    \\}
;

pub const Api = struct {
    model: []const u8,
    url: []const u8,
    stream: bool,
    settings: []const u8,
    system: ?[]const u8,

    /// Called once for each instance, before anything else. What it is given and makes stays.
    pub fn open(kept: Allocator, config: tickrate.RunConfig) tickrate.Error!Api {
        _ = try tickrate.json.configObject(kept, config.parameters);
        const options = try tickrate.json.configObject(kept, config.options);
        return .{
            .model = config.model,
            .url = config.url,
            .stream = config.stream,
            .settings = config.parameters,
            .system = options.text("system"),
        };
    }

    /// The request for one turn. Nothing may be kept from one call of this or the next to another; the arena is
    /// freed when tickrate has read the answer.
    pub fn shape(self: Api, arena: Allocator, turn: tickrate.TurnInContext) tickrate.Error!tickrate.HttpRequest {
        const Said = struct { who: []const u8, says: []const u8 };
        var talk: std.ArrayList(Said) = .empty;
        if (self.system) |text| try talk.append(arena, .{ .who = "system", .says = text });
        for (try tickrate.utterances(arena, turn)) |said| {
            try talk.append(arena, .{ .who = said.role, .says = said.text });
        }
        const body = try tickrate.json.write(arena, .{
            .model = self.model,
            .stream = self.stream,
            .talk = talk.items,
            .settings = tickrate.json.Written{ .text = self.settings },
            .limit = turn.turn.max_tokens,
        });
        return tickrate.postJson(self.url, body, if (self.stream) .sse else .whole);
    }

    /// What a whole reply says. What the server did wrong is a failure in the outcome.
    pub fn parse(_: Api, arena: Allocator, reply: tickrate.Reply) tickrate.Error!tickrate.Outcome {
        const Event = enum { thought, piece, close, fault };
        var made: tickrate.Made = .{ .arena = arena };
        var closed = false;
        var events = tickrate.events(reply);
        while (events.next()) |event| {
            const data = try tickrate.json.object(arena, event.data) orelse {
                try made.unreadable(event);
                return made.finish();
            };
            if (reply.framing == .whole) {
                if (data.text("fault")) |message| made.fail(.stream_error, message);
                try made.add(event, .reasoning, data.text("thought"), null);
                try made.add(event, .content, data.text("text"), null);
                close(&made.outcome, data);
                continue;
            }
            switch (std.meta.stringToEnum(Event, event.name) orelse continue) {
                .thought => try made.add(event, .reasoning, data.text("text"), data.count("tokens")),
                .piece => try made.add(event, .content, data.text("text"), data.count("tokens")),
                .close => {
                    closed = true;
                    close(&made.outcome, data);
                },
                .fault => {
                    made.fail(.stream_error, data.text("message") orelse "");
                    return made.finish();
                },
            }
        }
        made.end(reply, closed);
        return made.finish();
    }
};

/// Why the server stopped, and what it counted.
fn close(outcome: *tickrate.Outcome, data: tickrate.json.Object) void {
    outcome.finish_reason = data.text("reason");
    outcome.usage = .{
        .input_tokens = data.count("prompt_tokens"),
        .cached_tokens = data.count("cached_tokens"),
        .output_tokens = data.count("output_tokens"),
        .reasoning_tokens = data.count("thought_tokens"),
    };
}

const testing = std.testing;

/// The outcome of a stream of one event, in the arena.
fn streamed(arena: Allocator, event: []const u8, data: []const u8, complete: bool) !tickrate.Outcome {
    const frame: tickrate.FrameMark = .{ .at_ns = 0, .event = event, .start = 0, .end = @intCast(data.len) };
    const reply: tickrate.Reply = .{ .framing = .sse, .complete = complete, .payload = data, .frames = &.{frame} };
    return Api.parse(undefined, arena, reply);
}

test "a stream is understood" {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    const piece = try streamed(arena.allocator(), "piece", "{\"text\":\"n\\u00e9\",\"tokens\":2}", true);
    try testing.expectEqualStrings("n\u{e9}", piece.text);
    try testing.expectEqual(1, piece.outputs.len);
    try testing.expectEqual(2, piece.outputs[0].tokens);
    const end = try streamed(arena.allocator(), "close", "{\"reason\":\"stop\",\"prompt_tokens\":3}", true);
    try testing.expectEqualStrings("stop", end.finish_reason.?);
    try testing.expectEqual(tickrate.Usage{ .input_tokens = 3 }, end.usage);
}

test "what the server does wrong is a failure" {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    for ([_]struct { []const u8, []const u8, tickrate.FailureKind }{
        .{ "piece", "{", .invalid_reply },
        .{ "fault", "{\"message\":\"no\"}", .stream_error },
        .{ "piece", "{\"text\":\"a\"}", .truncated },
        .{ "close", "{}", .empty_reply },
    }) |case| {
        const outcome = try streamed(arena.allocator(), case[0], case[1], true);
        try testing.expectEqual(case[2], outcome.failure.?.kind);
    }
    try testing.expectEqual(null, (try streamed(arena.allocator(), "piece", "{\"te", false)).failure);
}

test "a request has what was asked for" {
    var memory: std.heap.ArenaAllocator = .init(testing.allocator);
    defer memory.deinit();
    const arena = memory.allocator();
    const api = try Api.open(arena, .{
        .model = "m",
        .url = "http://h/",
        .stream = true,
        .seed = 0,
        .expected = 1,
        .parameters = "{}",
        .options = "{\"system\":\"Be \\\"brief\\\".\"}",
        .dataset_path = null,
    });
    var turn: tickrate.TurnInContext = .{
        .request_id = "",
        .conversation_id = "",
        .turn_index = 0,
        .history = &.{},
        .turn = .{ .prompt = .{ .text = "Why?" }, .max_tokens = 4 },
    };
    try testing.expectEqualStrings(
        "{\"model\":\"m\",\"stream\":true,\"talk\":[{\"who\":\"system\",\"says\":\"Be \\\"brief\\\".\"}," ++
            "{\"who\":\"user\",\"says\":\"Why?\"}],\"settings\":{},\"limit\":4}",
        (try api.shape(arena, turn)).body,
    );
    turn.turn.prompt = .{ .tokens = &.{1} };
    try testing.expectError(error.Refused, api.shape(arena, turn));
    try testing.expect(tickrate.refusal == .unsupported);
}
