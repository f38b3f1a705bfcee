// The functions that every plugin exports. exports.mjs gives all of these files' functions the contract's names.

import * as plugin from '../plugin';
import { forget, hold, putText } from './memory';

// Where tickrate puts what it gives.
export function cabi_realloc(old: usize, oldBytes: usize, multiple: usize, bytes: usize): usize {
  const now = hold(bytes);
  memory.copy(now, old, min(oldBytes, bytes));
  return now;
}

function told(text: string): usize {
  const at = hold(8);
  putText(at, text);
  return at;
}

export function info_name(): usize {
  return told(plugin.NAME);
}

export function info_version(): usize {
  return told(plugin.VERSION);
}

// A plugin that is both may take other options as a dataset, which is the role 0.
export function info_options_schema(role: u32): usize {
  if (isDefined(plugin.DATASET_OPTIONS)) {
    if (role == 0) return told(plugin.DATASET_OPTIONS);
  }
  return told(plugin.OPTIONS);
}

// When tickrate has read an answer, nothing of the call is needed any more.
export function read(answer: usize): void {
  forget();
}
