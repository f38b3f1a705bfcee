// What `open` of an API and of a dataset have in common.

import { givenOptional, givenText, hold, putError } from './memory';
import { refusal, RunConfig } from './tickrate';

// What the instance is opened with.
export function given(
  model: usize, modelBytes: usize, url: usize, urlBytes: usize, stream: u32, seed: u64, expected: u64,
  parameters: usize, parametersBytes: usize, options: usize, optionsBytes: usize,
  hasPath: u32, path: usize, pathBytes: usize,
): RunConfig {
  const config = new RunConfig();
  config.model = givenText(model, modelBytes);
  config.url = givenText(url, urlBytes);
  config.stream = stream != 0;
  config.seed = seed;
  config.expected = expected;
  config.parameters = givenText(parameters, parametersBytes);
  config.options = givenText(options, optionsBytes);
  config.datasetPath = givenOptional(hasPath, path, pathBytes);
  return config;
}

// What is returned of a plugin that was opened, or was not.
export function returned(opened: bool): usize {
  const at = hold(16);
  if (!opened) putError(at, 4, refusal);
  return at;
}
