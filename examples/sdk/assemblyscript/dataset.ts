// The functions of a dataset.

import * as plugin from '../plugin';
import { hold, putConversations, putError } from './memory';
import { refusal } from './tickrate';
import { open } from './open';

export function dataset_open(
  model: usize, modelBytes: usize, url: usize, urlBytes: usize, stream: u32, seed: u64, expected: u64,
  parameters: usize, parametersBytes: usize, options: usize, optionsBytes: usize,
  hasPath: u32, path: usize, pathBytes: usize,
): usize {
  return open(
    model, modelBytes, url, urlBytes, stream, seed, expected, parameters, parametersBytes, options, optionsBytes,
    hasPath, path, pathBytes,
  );
}

export function dataset_next(atMost: u32): usize {
  const batch = plugin.next(atMost);
  const at = hold(16);
  if (batch === null) putError(at, 4, refusal);
  else putConversations(at + 4, batch);
  return at;
}
