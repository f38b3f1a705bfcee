// A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.
// tickrate.ts is what plugins share.

import {
  Conversation, ErrorKind, JsonObject, RunConfig, Turn, ask, lines, random, refuse,
} from './tickrate/tickrate';

export const NAME = 'assemblyscript-dataset';
export const VERSION = '0.1.0';

// What --dataset-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
export const OPTIONS = `{
  "type": "object",
  "properties": {
    "turns": {"type": "integer", "minimum": 1, "maximum": 8, "description": "turns of each conversation"}
  },
  "additionalProperties": false
}`;

// The lines of the files; null where there is no file.
let questions: string[] | null = null;
let turns: u64 = 1;
let given: u32 = 0;

// Called once, before anything else. To begin again, tickrate makes a new instance.
export function open(config: RunConfig): bool {
  const options = JsonObject.of(config.options);
  if (options === null) return refuse(ErrorKind.invalidConfig, 'the options have to be a JSON object');
  const wanted = options.count('turns');
  if (wanted !== null) turns = wanted.value;
  if (config.datasetPath === null) return true;
  questions = lines();
  return questions !== null;
}

// At most so many further conversations; none means that there are no more. Null returns what `refuse` was told.
export function next(atMost: u32): Conversation[] | null {
  const all = questions;
  const batch: Conversation[] = [];
  for (; batch.length < <i32>atMost; given++) {
    if (all !== null && <i32>given >= all.length) break;
    const asked: Turn[] = [ask(all !== null ? all[given] : sum(given))];
    while (<u64>asked.length < turns) asked.push(ask('Are you sure?'));
    batch.push(new Conversation(`question-${given}`, asked));
  }
  return batch;
}

// A question about a sum. Random numbers come from tickrate: they follow from the seed of the run.
function sum(number: u32): string {
  const a = random() % 100, b = random() % 100;
  return `${number}. What is ${a} + ${b}?`;
}
