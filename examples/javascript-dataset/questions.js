// The questions. Nothing here calls tickrate, so that plain node can test it.

import { ask, conversation } from './tickrate.js';

/** A source of questions: these lines, or sums where there are none. */
export class Questions {
  given = 0;

  constructor(turns, lines, random) {
    Object.assign(this, { turns, lines, random });
  }

  next(atMost) {
    let last = this.given + atMost;
    if (this.lines !== undefined) last = Math.min(last, this.lines.length);
    const batch = [];
    for (; this.given < last; this.given++) batch.push(this.conversation(this.given));
    return batch;
  }

  conversation(number) {
    const question = this.lines === undefined ? sum(number, this.random) : this.lines[number];
    const texts = [question, ...Array(this.turns - 1).fill('Are you sure?')];
    return conversation(`question-${number}`, texts.map(ask));
  }
}

/** A question about a sum. `random` gives whole numbers from 0 to 2n ** 64n - 1n. */
export function sum(number, random) {
  return `${number}. What is ${random() % 100n} + ${random() % 100n}?`;
}
