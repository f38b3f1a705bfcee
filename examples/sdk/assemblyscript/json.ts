// JSON, read where it stands.

import { heldText } from './memory';
import { Num } from './types';

// As deep as values may be nested.
const DEPTH = 127;

// A JSON object: the names of its members, and where their values begin and end. It is there until tickrate has
// read the answer to the call that it was made in.
export class JsonObject {
  private places: Map<string, u64> = new Map<string, u64>();

  // The object in these bytes; null if they are something else.
  static at(from: usize, bytes: usize): JsonObject | null {
    const reader = new Reader(from, from + bytes);
    const object = new JsonObject();
    reader.blank();
    if (!reader.object(DEPTH, object)) return null;
    reader.blank();
    return reader.at == reader.end ? object : null;
  }

  // The object in a text.
  static of(text: string): JsonObject | null {
    return JsonObject.at(heldText(text), String.UTF8.byteLength(text));
  }

  put(name: string, begins: usize, ends: usize): void {
    this.places.set(name, (<u64>begins << 32) | <u64>ends);
  }

  private reader(name: string): Reader | null {
    if (!this.places.has(name)) return null;
    const place = this.places.get(name);
    return new Reader(<usize>(place >> 32), <usize>(place & 0xffffffff));
  }

  // The text in a member; null if it is no string.
  text(name: string): string | null {
    const reader = this.reader(name);
    return reader === null ? null : reader.string(true);
  }

  // The count in a member; null if it is no whole number from 0 on.
  count(name: string): Num<u64> | null {
    const reader = this.reader(name);
    if (reader === null) return null;
    let value: u64 = 0;
    for (; reader.at < reader.end; reader.at++) {
      const digit: u64 = <u64>load<u8>(reader.at) - 48;
      if (digit > 9 || value > (u64.MAX_VALUE - digit) / 10) return null;
      value = value * 10 + digit;
    }
    return new Num<u64>(value);
  }
}

class Reader {
  constructor(public at: usize, public end: usize) {}

  // The byte that comes; 0 at the end.
  private get next(): u8 {
    return this.at < this.end ? load<u8>(this.at) : 0;
  }

  private take(byte: u8): bool {
    if (this.next != byte) return false;
    this.at++;
    return true;
  }

  blank(): void {
    while (this.next == 0x20 || (this.next >= 9 && this.next <= 13 && this.next != 11 && this.next != 12)) this.at++;
  }

  // Reads an object, and notes its members where it is to.
  object(depth: i32, into: JsonObject | null): bool {
    if (depth == 0 || !this.take(0x7b)) return false;
    this.blank();
    if (this.take(0x7d)) return true;
    do {
      this.blank();
      const name = this.string(into !== null);
      if (name === null) return false;
      this.blank();
      if (!this.take(0x3a)) return false;
      this.blank();
      const begins = this.at;
      if (!this.value(depth - 1)) return false;
      if (into !== null) into.put(name, begins, this.at);
      this.blank();
    } while (this.take(0x2c));
    return this.take(0x7d);
  }

  private array(depth: i32): bool {
    if (depth == 0 || !this.take(0x5b)) return false;
    this.blank();
    if (this.take(0x5d)) return true;
    do {
      this.blank();
      if (!this.value(depth - 1)) return false;
      this.blank();
    } while (this.take(0x2c));
    return this.take(0x5d);
  }

  private value(depth: i32): bool {
    switch (this.next) {
      case 0x7b: return this.object(depth, null);
      case 0x5b: return this.array(depth);
      case 0x22: return this.string(false) !== null;
      case 0x74: return this.word('true');
      case 0x66: return this.word('false');
      case 0x6e: return this.word('null');
      default: return this.number();
    }
  }

  private word(word: string): bool {
    for (let i = 0; i < word.length; i++) if (!this.take(<u8>word.charCodeAt(i))) return false;
    return true;
  }

  private digits(): bool {
    const first = this.at;
    while (this.next >= 0x30 && this.next <= 0x39) this.at++;
    return this.at > first;
  }

  private number(): bool {
    this.take(0x2d);
    if (!this.take(0x30) && !this.digits()) return false;
    if (this.take(0x2e) && !this.digits()) return false;
    if (this.take(0x65) || this.take(0x45)) {
      if (!this.take(0x2b)) this.take(0x2d);
      return this.digits();
    }
    return true;
  }

  // Reads a string; null if it is none. Where nobody wants its text, that is empty.
  string(wanted: bool): string | null {
    if (!this.take(0x22)) return null;
    let text = '';
    let begins = this.at;
    while (this.next != 0x22) {
      const byte = this.next;
      if (byte < 0x20) return null;
      if (byte != 0x5c) {
        if (!this.character()) return null;
        continue;
      }
      if (wanted) text += String.UTF8.decodeUnsafe(begins, this.at - begins);
      this.at++;
      const escaped = this.escape();
      if (escaped === null) return null;
      if (wanted) text += escaped;
      begins = this.at;
    }
    if (wanted) text += String.UTF8.decodeUnsafe(begins, this.at - begins);
    this.at++;
    return text;
  }

  private escape(): string | null {
    const kind = this.next;
    this.at++;
    switch (kind) {
      case 0x22: case 0x5c: case 0x2f: return String.fromCharCode(kind);
      case 0x62: return '\b';
      case 0x66: return '\f';
      case 0x6e: return '\n';
      case 0x72: return '\r';
      case 0x74: return '\t';
      case 0x75: return this.unit();
      default: return null;
    }
  }

  private unit(): string | null {
    const high = this.hex4();
    if (high < 0 || (high >= 0xdc00 && high < 0xe000)) return null;
    if (high < 0xd800 || high >= 0xe000) return String.fromCharCode(high);
    if (!this.take(0x5c) || !this.take(0x75)) return null;
    const low = this.hex4();
    return low >= 0xdc00 && low < 0xe000 ? String.fromCharCode(high, low) : null;
  }

  private hex4(): i32 {
    let value = 0;
    for (let i = 0; i < 4; i++, this.at++) {
      const byte = this.next, letter = byte | 0x20;
      if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
      else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
      else return -1;
    }
    return value;
  }

  // Goes past one character in UTF-8.
  private character(): bool {
    const length = utf8Length(this.at, this.end);
    if (length < 1) return false;
    this.at += length;
    return true;
  }
}

// The length of the character at an address, in bytes. If there is none, the number of bytes that belong together
// and are none, negative.
export function utf8Length(at: usize, end: usize): i32 {
  const first = load<u8>(at);
  if (first < 0x80) return 1;
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0) return -1;
  // What would be too long, half a surrogate pair or beyond the last character shows in the second byte.
  let least: u8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  let most: u8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    if (at + i >= end || load<u8>(at + i) < least || load<u8>(at + i) > most) return -i;
    least = 0x80;
    most = 0xbf;
  }
  return length;
}

// How JSON writes a character that cannot stand for itself.
function escaped(code: i32): string {
  switch (code) {
    case 0x08: return '\\b';
    case 0x09: return '\\t';
    case 0x0a: return '\\n';
    case 0x0c: return '\\f';
    case 0x0d: return '\\r';
  }
  return code >= 0x20 ? '\\' + String.fromCharCode(code) : '\\u' + code.toString(16).padStart(4, '0');
}

// A text as a JSON string, quotes included.
export function jsonString(text: string): string {
  const pieces: string[] = ['"'];
  let begins = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x20 && code != 0x22 && code != 0x5c) continue;
    pieces.push(text.substring(begins, i));
    pieces.push(escaped(code));
    begins = i + 1;
  }
  pieces.push(text.substring(begins));
  pieces.push('"');
  return pieces.join('');
}
