// The questions. Nothing here calls tickrate, so that plain node can test it.

import { type Conversation, ask, conversation } from './tickrate.js';

/** Gives whole numbers from 0 to 2n ** 64n - 1n. */
export type Random = () => bigint;

/** A source of questions: these lines, or sums where there are none. */
export class Questions {
  private given = 0;

  constructor(
    private readonly turns: number,
    private readonly lines: string[] | undefined,
    private readonly random: Random,
  ) {}

  next(atMost: number): Conversation[] {
    let last = this.given + atMost;
    if (this.lines !== undefined) last = Math.min(last, this.lines.length);
    const batch: Conversation[] = [];
    for (; this.given < last; this.given++) batch.push(this.conversation(this.given));
    return batch;
  }

  private conversation(number: number): Conversation {
    const question = this.lines?.[number] ?? sum(number, this.random);
    const texts = [question, ...Array<string>(this.turns - 1).fill('Are you sure?')];
    return conversation(`question-${number}`, texts.map(ask));
  }
}

/** A question about a sum. */
export function sum(number: number, random: Random): string {
  return `${number}. What is ${random() % 100n} + ${random() % 100n}?`;
}
