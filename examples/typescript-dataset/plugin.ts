// A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.
// tickrate.js is what plugins share.

import { files, random, read } from 'tickrate:plugin/host@0.1.0';
import { Questions } from './questions.js';
import { type Dataset, configObject, describe, lines } from './tickrate.js';

// What --dataset-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
const OPTIONS = {
  type: 'object',
  properties: { turns: { type: 'integer', minimum: 1, maximum: 8, description: 'turns of each conversation' } },
  additionalProperties: false,
};

let questions: Questions;

export const info = describe('typescript-dataset', '0.1.0', OPTIONS);

export const dataset: Dataset = {
  /** Called once, before anything else. To begin again, tickrate makes a new instance. */
  open({ options, datasetPath }) {
    const { turns } = configObject(options) as { turns?: number };
    const given = datasetPath === undefined ? undefined : lines(files, read);
    // Random numbers come from tickrate: they follow from the seed of the run.
    questions = new Questions(turns ?? 1, given, random);
  },

  /** At most so many further conversations; none means that there are no more. */
  next: (atMost) => questions.next(atMost),
};
