// Runs what test_plugin.ts exports.

import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const compiled = new WebAssembly.Module(readFileSync('build/test.wasm'));
const imports = {};
for (const { module, name } of WebAssembly.Module.imports(compiled)) {
  // Without tickrate, all random numbers are 7, and nothing else that it offers is there.
  imports[module] ??= {};
  imports[module][name] = (message, file, line) => {
    if (name === 'random') return 7n;
    throw new Error(name === 'abort' ? `line ${line} says no` : `only tickrate has ${name}`);
  };
}
const { exports } = new WebAssembly.Instance(compiled, imports);
for (const [name, run] of Object.entries(exports)) {
  if (typeof run === 'function') test(name, () => run());
}
