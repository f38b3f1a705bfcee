// The functions of a dataset.

import * as plugin from '../plugin';
import { hold, putConversations, putError } from './memory';
import { refusal } from './tickrate';
import { given, returned } from './open';

export function dataset_open(
  model: usize, modelBytes: usize, url: usize, urlBytes: usize, stream: u32, seed: u64, expected: u64,
  parameters: usize, parametersBytes: usize, options: usize, optionsBytes: usize,
  hasPath: u32, path: usize, pathBytes: usize,
): usize {
  const config = given(
    model, modelBytes, url, urlBytes, stream, seed, expected, parameters, parametersBytes, options, optionsBytes,
    hasPath, path, pathBytes,
  );
  // In a plugin that is both, `open` is the API's.
  if (isDefined(plugin.openDataset)) return returned(plugin.openDataset(config));
  else return returned(plugin.open(config));
}

export function dataset_next(atMost: u32): usize {
  const batch = plugin.next(atMost);
  const at = hold(16);
  if (batch === null) putError(at, 4, refusal);
  else putConversations(at + 4, batch);
  return at;
}
