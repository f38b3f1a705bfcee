import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Questions, sum } from './build/questions.js';
import { linesOf } from './tickrate.js';

test('lines are questions', () => {
  const data = new Uint8Array([...new TextEncoder().encode('Why?\n\n  How? \r\n'), 255, 10]);
  assert.deepEqual(linesOf(data), ['Why?', 'How?', '\ufffd']);
});

test('sums follow from the random numbers', () => {
  const numbers = [7n, 205n];
  assert.equal(sum(3, () => numbers.shift()), '3. What is 7 + 5?');
});

test('there are as many turns as asked for, and no more questions than lines', () => {
  const questions = new Questions(2, ['Why?', 'How?']);
  const batch = [...questions.next(1), ...questions.next(9)];
  assert.deepEqual(batch.map(({ id }) => id), ['question-0', 'question-1']);
  assert.equal(batch[0].turns[1].prompt.val[0].content[0].val, 'Are you sure?');
  assert.deepEqual(questions.next(1), []);
});
