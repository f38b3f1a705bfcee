import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lines, sum, turns } from './questions.js';

test('lines are questions', () => {
  const data = new Uint8Array([...new TextEncoder().encode('Why?\n\n  How? \r\n'), 255, 10]);
  assert.deepEqual(lines(data), ['Why?', 'How?', '\ufffd']);
});

test('sums follow from the random numbers', () => {
  const numbers = [7n, 205n];
  assert.equal(sum(3, () => numbers.shift()), '3. What is 7 + 5?');
});

test('there are as many turns as asked for', () => {
  assert.deepEqual(turns('Why?', 2), ['Why?', 'Are you sure?']);
});
