// What tickrate offers to a plugin; wit/host.wit says more of each. What fails returns null, and `failed` says why.

import { givenText, heldText, hold } from './memory';
import { ErrorKind, refuse } from './tickrate';

@external('tickrate:plugin/host@0.1.0', 'log')
declare function hostLog(level: u32, text: usize, bytes: usize): void;
@external('tickrate:plugin/host@0.1.0', 'count')
declare function hostCount(text: usize, bytes: usize, result: usize): void;
@external('tickrate:plugin/host@0.1.0', 'encode')
declare function hostEncode(text: usize, bytes: usize, result: usize): void;
@external('tickrate:plugin/host@0.1.0', 'decode')
declare function hostDecode(tokens: usize, count: usize, result: usize): void;
@external('tickrate:plugin/host@0.1.0', 'random')
declare function hostRandom(): u64;
@external('tickrate:plugin/host@0.1.0', 'files')
declare function hostFiles(result: usize): void;
@external('tickrate:plugin/host@0.1.0', 'read')
declare function hostRead(name: usize, bytes: usize, offset: u64, length: u32, result: usize): void;

export enum Level { debug, info, warn, error }

export class File {
  constructor(public name: string, public bytes: u64) {}
}

// Whether the answer at an address is one; if not, the reason is kept for tickrate.
function good(result: usize): bool {
  if (load<u8>(result) == 0) return true;
  return refuse(ErrorKind.invalidData, givenText(load<u32>(result, 4), load<u32>(result, 8)));
}

// Writes one line to the run's log.
export function log(level: Level, text: string): void {
  hostLog(level, heldText(text), String.UTF8.byteLength(text));
}

// How many tokens a text has; -1 where the run has no tokenizer.
export function count(text: string): i64 {
  const result = hold(12);
  hostCount(heldText(text), String.UTF8.byteLength(text), result);
  return good(result) ? <i64>load<u32>(result, 4) : -1;
}

// The tokens of a text; null where the run has no tokenizer.
export function encode(text: string): StaticArray<u32> | null {
  const result = hold(12);
  hostEncode(heldText(text), String.UTF8.byteLength(text), result);
  if (!good(result)) return null;
  const tokens = new StaticArray<u32>(load<u32>(result, 8));
  memory.copy(changetype<usize>(tokens), load<u32>(result, 4), <usize>tokens.length * 4);
  return tokens;
}

// The text of tokens; null where the run has no tokenizer, or no such token.
export function decode(tokens: StaticArray<u32>): string | null {
  const result = hold(12);
  hostDecode(changetype<usize>(tokens), tokens.length, result);
  return good(result) ? givenText(load<u32>(result, 4), load<u32>(result, 8)) : null;
}

// The next of a series of random numbers that depends on the run's seed alone.
export function random(): u64 {
  return hostRandom();
}

// The files given with --dataset-path, sorted by name.
export function files(): File[] | null {
  const result = hold(12);
  hostFiles(result);
  if (!good(result)) return null;
  const all: File[] = [];
  let at: usize = load<u32>(result, 4);
  for (let left = load<u32>(result, 8); left > 0; left--, at += 16) {
    all.push(new File(givenText(load<u32>(at), load<u32>(at, 4)), load<u64>(at, 8)));
  }
  return all;
}

// Where the bytes of a file are, until tickrate has read the answer to the call; 0 if they cannot be read.
export function content(file: File): usize {
  const name = heldText(file.name);
  const all = hold(<usize>file.bytes);
  const result = hold(12);
  for (let at: u64 = 0; at < file.bytes; ) {
    hostRead(name, String.UTF8.byteLength(file.name), at, 1 << 20, result);
    if (!good(result)) return 0;
    const bytes = load<u32>(result, 8);
    if (bytes == 0) break;
    memory.copy(all + <usize>at, load<u32>(result, 4), bytes);
    at += bytes;
  }
  return all;
}

// What AssemblyScript calls when it cannot go on: the reason is a line in the run's log.
export function stopped(message: string | null, file: string | null, line: u32, column: u32): void {
  const place = `${file === null ? '' : file}:${line}:${column}`;
  log(Level.error, `stopped at ${place}: ${message === null ? '' : message}`);
  unreachable();
}
