//! What most tickrate plugins in Zig need: the contract's types, refusals, JSON, replies, outcomes, lines. Copy this
//! folder beside your plugin as "tickrate". Nothing here but `host` calls tickrate, so that `zig test` can test a
//! plugin on the machine itself. What a function makes goes to the arena that it is given and is freed with it.

const std = @import("std");
const Allocator = std.mem.Allocator;

pub const abi = @import("abi.zig");
pub const host = @import("host.zig");
pub const json = @import("json.zig");

const types = @import("types.zig");
pub const Pair = types.Pair;
pub const Part = types.Part;
pub const Message = types.Message;
pub const Prompt = types.Prompt;
pub const Turn = types.Turn;
pub const Conversation = types.Conversation;
pub const TurnInContext = types.TurnInContext;
pub const RunConfig = types.RunConfig;
pub const PluginError = types.PluginError;
pub const Framing = types.Framing;
pub const HttpRequest = types.HttpRequest;
pub const FrameMark = types.FrameMark;
pub const Reply = types.Reply;
pub const OutputKind = types.OutputKind;
pub const OutputFrame = types.OutputFrame;
pub const Usage = types.Usage;
pub const FailureKind = types.FailureKind;
pub const Failure = types.Failure;
pub const Outcome = types.Outcome;

/// How a plugin's functions fail: `refuse` says why.
pub const Error = error{ Refused, OutOfMemory };

/// What the last `refuse` said.
pub var refusal: PluginError = .{ .internal = "" };

/// Fails with an error of the contract; `text` is one line that says what to do.
pub fn refuse(kind: std.meta.Tag(PluginError), text: []const u8) error{Refused} {
    refusal = switch (kind) {
        inline else => |tag| @unionInit(PluginError, @tagName(tag), text),
    };
    return error.Refused;
}

/// One message that is text and nothing else.
pub const Utterance = struct { role: []const u8, text: []const u8 };

/// The whole conversation as roles and texts: what was said before, and then the turn's own.
pub fn utterances(arena: Allocator, turn: TurnInContext) Error![]const Utterance {
    const now = switch (turn.turn.prompt) {
        .text => |text| &.{Message{ .role = "user", .content = try arena.dupe(Part, &.{.{ .text = text }}) }},
        .chat => |messages| messages,
        else => return refuse(.unsupported, "this API takes texts and chats; choose another dataset"),
    };
    const said = try arena.alloc(Utterance, turn.history.len + now.len);
    for (said, 0..) |*one, i| {
        const message = if (i < turn.history.len) turn.history[i] else now[i - turn.history.len];
        one.* = .{ .role = message.role, .text = try plain(arena, message.content) };
    }
    return said;
}

fn plain(arena: Allocator, content: []const Part) Error![]const u8 {
    var text: std.ArrayList(u8) = .empty;
    for (content) |part| switch (part) {
        .text => |piece| try text.appendSlice(arena, piece),
        else => return refuse(.unsupported, "this API takes text only; choose another dataset"),
    };
    return text.items;
}

/// A `POST` of a JSON body.
pub fn postJson(url: []const u8, body: []const u8, framing: Framing) HttpRequest {
    const headers = &[_]Pair{.{ .name = "Content-Type", .value = "application/json" }};
    return .{ .method = "POST", .url = url, .headers = headers, .body = body, .framing = framing };
}

/// One frame of a reply. `name` is empty where its event has none; `may_be_cut` is the last frame of a reply
/// that broke off.
pub const Event = struct { index: u32, name: []const u8, data: []const u8, may_be_cut: bool };

/// The frames of a reply, in order.
pub fn events(reply: Reply) Events {
    return .{ .reply = reply };
}

pub const Events = struct {
    reply: Reply,
    index: u32 = 0,

    pub fn next(self: *Events) ?Event {
        const frames = self.reply.frames;
        if (self.index == frames.len) return null;
        const frame = frames[self.index];
        defer self.index += 1;
        return .{
            .index = self.index,
            .name = frame.event orelse "",
            .data = self.reply.payload[frame.start..frame.end],
            .may_be_cut = !self.reply.complete and self.index + 1 == frames.len,
        };
    }
};

/// What a plugin makes of a reply. Return what `finish` gives.
pub const Made = struct {
    arena: Allocator,
    outputs: std.ArrayList(OutputFrame) = .empty,
    text: std.ArrayList(u8) = .empty,
    outcome: Outcome = .{},

    /// Notes that a frame brought `text`, of so many tokens where the server says so. A text that is empty or
    /// missing is no output.
    pub fn add(self: *Made, event: Event, kind: OutputKind, text: ?[]const u8, tokens: ?u64) Allocator.Error!void {
        const brought = text orelse "";
        if (brought.len == 0) return;
        try self.text.appendSlice(self.arena, brought);
        try self.outputs.append(self.arena, .{
            .frame = event.index,
            .kind = kind,
            .text_bytes = @intCast(brought.len),
            .tokens = std.math.cast(u32, tokens orelse std.math.maxInt(u64)),
        });
    }

    /// Notes a failure of the server's.
    pub fn fail(self: *Made, kind: FailureKind, message: []const u8) void {
        self.outcome.failure = .{ .kind = kind, .message = message };
    }

    /// Notes that a frame is not what it should be, unless it may be half a frame. Read no further.
    pub fn unreadable(self: *Made, event: Event) Allocator.Error!void {
        if (event.may_be_cut) return;
        const message = "frame {d} is not what the server should send";
        self.fail(.invalid_reply, try std.fmt.allocPrint(self.arena, message, .{event.index}));
    }

    /// Notes what is wrong with a reply as a whole, when all of its frames have been read.
    pub fn end(self: *Made, reply: Reply, closed: bool) void {
        if (!reply.complete or self.outcome.failure != null) return;
        if (reply.framing != .whole and !closed) {
            self.fail(.truncated, "the stream ended before the server had closed it");
        } else if (self.outputs.items.len == 0) {
            self.fail(.empty_reply, "the reply carried no output");
        }
    }

    pub fn finish(self: *Made) Outcome {
        self.outcome.outputs = self.outputs.items;
        self.outcome.text = self.text.items;
        return self.outcome;
    }
};

/// A turn in which the user says `text`.
pub fn ask(arena: Allocator, text: []const u8) Allocator.Error!Turn {
    const content = try arena.dupe(Part, &.{.{ .text = text }});
    return .{ .prompt = .{ .chat = try arena.dupe(Message, &.{.{ .role = "user", .content = content }}) } };
}

/// The lines of all files of the dataset that say something.
pub fn lines(arena: Allocator) Error![]const []const u8 {
    const piece = 1 << 20;
    var scratch: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer scratch.deinit();
    var all: std.ArrayList([]const u8) = .empty;
    for (try host.files(scratch.allocator())) |file| {
        var data: std.ArrayList(u8) = .empty;
        while (data.items.len < file.bytes) {
            const read = try host.read(scratch.allocator(), file.name, data.items.len, piece);
            if (read.len == 0) break;
            try data.appendSlice(scratch.allocator(), read);
        }
        try all.appendSlice(arena, try linesOf(arena, data.items));
    }
    return all.items;
}

/// The lines in `data` that say something, without white space around them; bytes that are no UTF-8 are replaced.
pub fn linesOf(arena: Allocator, data: []const u8) Allocator.Error![]const []const u8 {
    const text = try std.fmt.allocPrint(arena, "{f}", .{std.unicode.fmtUtf8(data)});
    var all: std.ArrayList([]const u8) = .empty;
    var rest = std.mem.splitScalar(u8, text, '\n');
    while (rest.next()) |line| {
        const said = trimmed(line);
        if (said.len > 0) try all.append(arena, said);
    }
    return all.items;
}

fn trimmed(line: []const u8) []const u8 {
    var first: ?usize = null;
    var end: usize = 0;
    var characters = std.unicode.Utf8View.initUnchecked(line).iterator();
    while (characters.nextCodepointSlice()) |character| {
        const code = std.unicode.utf8Decode(character) catch continue;
        if (isWhite(code)) continue;
        end = characters.i;
        first = first orelse end - character.len;
    }
    return line[first orelse end .. end];
}

fn isWhite(code: u21) bool {
    return switch (code) {
        9...13, ' ', 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 => true,
        else => false,
    };
}

test "lines are what says something" {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    const read = try linesOf(arena.allocator(), "Why?\n\n \xc2\xa0 How? \r\n\xff\n\xe2\x82\nlast");
    for ([_][]const u8{ "Why?", "How?", "\u{fffd}", "\u{fffd}", "last" }, read) |wanted, line| {
        try std.testing.expectEqualStrings(wanted, line);
    }
}

test {
    _ = abi;
    _ = json;
}
