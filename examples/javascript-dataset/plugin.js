// A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.
// Types: "npx jco types wit" writes them for TypeScript and editors.

import { files, random, read } from 'tickrate:plugin/host@0.1.0';
import * as questions from './questions.js';

// What --dataset-args may hold. tickrate checks the options before it calls open.
const OPTIONS = {
  type: 'object',
  properties: { turns: { type: 'integer', minimum: 1, maximum: 8, description: 'turns of each conversation' } },
  additionalProperties: false,
};

const PIECE = 1 << 20;

let turns, lines, given;

export const info = {
  name: () => 'javascript-dataset',
  version: () => '0.1.0',
  optionsSchema: () => JSON.stringify(OPTIONS),
};

export const dataset = {
  /** Called once, before anything else. To begin again, tickrate makes a new instance. */
  open({ options, datasetPath }) {
    turns = JSON.parse(options).turns ?? 1;
    given = 0;
    lines = datasetPath === undefined ? undefined : files().flatMap((file) => questions.lines(content(file)));
  },

  /** At most so many further conversations; none means that there are no more. */
  next(atMost) {
    let last = given + atMost;
    if (lines !== undefined) last = Math.min(last, lines.length);
    const batch = [];
    for (; given < last; given++) batch.push(conversation(given));
    return batch;
  },
};

function conversation(number) {
  // Random numbers come from tickrate: they follow from the seed of the run.
  const question = lines === undefined ? questions.sum(number, random) : lines[number];
  return {
    id: `question-${number}`,
    turns: questions.turns(question, turns).map((text) => ({
      prompt: { tag: 'chat', val: [{ role: 'user', content: [{ tag: 'text', val: text }], fields: [] }] },
      maxTokens: undefined,
      thinkTimeMs: undefined,
      headers: [],
    })),
    arrivalMs: undefined,
    labels: [],
  };
}

/** A file's bytes, read in pieces. */
function content({ name, bytes }) {
  const all = new Uint8Array(Number(bytes));
  for (let at = 0; at < all.length; at += PIECE) all.set(read(name, BigInt(at), PIECE), at);
  return all;
}
