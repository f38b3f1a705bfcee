//! How values cross the boundary: the canonical ABI of the component model for the types of `types.zig`, with
//! addresses of 32 bits. It follows from the types when the plugin is compiled.

const std = @import("std");
const Allocator = std.mem.Allocator;

/// What a call of the contract returns.
pub fn Result(comptime Ok: type, comptime Err: type) type {
    return union(enum) { ok: Ok, err: Err };
}

/// Bytes that a value takes in memory.
pub fn size(comptime T: type) comptime_int {
    return switch (@typeInfo(T)) {
        .void => 0,
        .bool, .@"enum" => 1,
        .int, .float => @sizeOf(T),
        .pointer => 8,
        .@"struct" => |record| offset(T, record.field_types.len),
        else => std.mem.alignForward(usize, alignment(T) + largest(cases(T), size), alignment(T)),
    };
}

/// What the address of a value is a multiple of.
pub fn alignment(comptime T: type) comptime_int {
    return switch (@typeInfo(T)) {
        .void, .bool, .@"enum" => 1,
        .int, .float => @sizeOf(T),
        .pointer => 4,
        .@"struct" => |record| largest(record.field_types, alignment),
        else => largest(cases(T), alignment),
    };
}

/// What a variant may hold. Its payload stands behind the byte that says which it is, as aligned as the variant.
fn cases(comptime T: type) []const type {
    return switch (@typeInfo(T)) {
        .optional => |optional| &.{ void, optional.child },
        .@"union" => |variant| variant.field_types,
        else => @compileError("the contract has no " ++ @typeName(T)),
    };
}

fn largest(comptime types: []const type, comptime measure: fn (comptime type) comptime_int) comptime_int {
    var most = 0;
    for (types) |T| most = @max(most, measure(T));
    return most;
}

/// Where the field of this index begins in a record, or where the record ends.
fn offset(comptime T: type, comptime index: usize) comptime_int {
    const types = @typeInfo(T).@"struct".field_types;
    @setEvalBranchQuota(100_000);
    var at = 0;
    for (types[0..index]) |Field| at = std.mem.alignForward(usize, at, alignment(Field)) + size(Field);
    return std.mem.alignForward(usize, at, if (index < types.len) alignment(types[index]) else alignment(T));
}

fn word(at: [*]const u8) usize {
    return std.mem.readInt(u32, at[0..4], .little);
}

/// The value at an address. Bytes and texts stay where they are; other lists are copied to `arena`.
pub fn load(comptime T: type, arena: Allocator, at: [*]const u8) Allocator.Error!T {
    switch (@typeInfo(T)) {
        .void => return {},
        .bool => return at[0] != 0,
        .int => return std.mem.readInt(T, at[0..@sizeOf(T)], .little),
        .float => return @bitCast(std.mem.readInt(u64, at[0..8], .little)),
        .@"enum" => return @fromBackingInt(@intCast(at[0])),
        .pointer => |list| {
            // An empty list may stand at the address 0, which no pointer has.
            const first: [*]const u8 = @ptrFromInt(@max(word(at), 1));
            return items(list.child, arena, first, word(at + 4));
        },
        .optional => |optional| {
            return if (at[0] == 0) null else try load(optional.child, arena, at + alignment(T));
        },
        .@"union" => |variant| {
            inline for (variant.field_names, variant.field_types, 0..) |name, Case, i| {
                if (at[0] == i) return @unionInit(T, name, try load(Case, arena, at + alignment(T)));
            }
            unreachable;
        },
        .@"struct" => |record| {
            var value: T = undefined;
            inline for (record.field_names, record.field_types, 0..) |name, Field, i| {
                @field(value, name) = try load(Field, arena, at + offset(T, i));
            }
            return value;
        },
        else => unreachable,
    }
}

/// The items of a list.
pub fn items(comptime Item: type, arena: Allocator, first: [*]const u8, count: usize) Allocator.Error![]const Item {
    if (Item == u8) return first[0..count];
    const all = try arena.alloc(Item, count);
    for (all, 0..) |*item, i| item.* = try load(Item, arena, first + i * size(Item));
    return all;
}

/// Puts a value at an address. Bytes and texts stay where they are; other lists go to `arena`.
pub fn store(comptime T: type, value: T, arena: Allocator, at: [*]u8) Allocator.Error!void {
    switch (@typeInfo(T)) {
        .void => {},
        .bool => at[0] = @intFromBool(value),
        .int => std.mem.writeInt(T, at[0..@sizeOf(T)], value, .little),
        .float => std.mem.writeInt(u64, at[0..8], @bitCast(value), .little),
        .@"enum" => at[0] = @backingInt(value),
        .pointer => |list| {
            const Item = list.child;
            var first = @intFromPtr(value.ptr);
            if (Item != u8) {
                const all = try room(arena, alignment(Item), value.len * size(Item));
                for (value, 0..) |item, i| try store(Item, item, arena, all + i * size(Item));
                first = @intFromPtr(all);
            }
            std.mem.writeInt(u32, at[0..4], @intCast(first), .little);
            std.mem.writeInt(u32, at[4..8], @intCast(value.len), .little);
        },
        .optional => |optional| {
            at[0] = @intFromBool(value != null);
            if (value) |inner| try store(optional.child, inner, arena, at + alignment(T));
        },
        .@"union" => |variant| {
            at[0] = @backingInt(value);
            inline for (variant.field_names, variant.field_types, 0..) |name, Case, i| {
                if (at[0] == i) try store(Case, @field(value, name), arena, at + alignment(T));
            }
        },
        .@"struct" => |record| inline for (record.field_names, record.field_types, 0..) |name, Field, i| {
            try store(Field, @field(value, name), arena, at + offset(T, i));
        },
        else => unreachable,
    }
}

/// Memory for `bytes` bytes at a multiple of `multiple`, which is at most 8.
pub fn room(arena: Allocator, multiple: usize, bytes: usize) Allocator.Error![*]u8 {
    if (bytes == 0) return @ptrFromInt(multiple);
    return (try arena.alignedAlloc(u8, .@"8", bytes)).ptr;
}

test "layouts are those of the canonical ABI" {
    const types = @import("types.zig");
    const expect = std.testing.expectEqual;
    try expect(32, size(types.FrameMark));
    try expect(12, size(?[]const u8));
    try expect(16, size(?u64));
    try expect(8, alignment(types.RunConfig));
    try expect(20, size(types.Part));
    try expect(8, offset(types.RunConfig, 1));
}
