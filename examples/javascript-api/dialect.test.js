import assert from 'node:assert/strict';
import { test } from 'node:test';

import { body, parse } from './dialect.js';

const bytes = (text) => new TextEncoder().encode(text);
const chunk = (content) => bytes(JSON.stringify({ choices: [{ delta: { content } }] }));

test('a stream is understood', () => {
  const end = bytes('{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}');
  const said = parse([chunk(''), chunk('né'), end, bytes('[DONE]')], true, true);
  assert.deepEqual(said, { outputs: [[1, 'né']], usage: [3n, 2n], finishReason: 'stop', failure: undefined });
});

test('what the server does wrong is a failure', () => {
  const failed = (frame) => parse([frame], true, true).failure[0];
  assert.equal(failed(bytes('{')), 'invalid-reply');
  assert.equal(failed(new Uint8Array([34, 255, 34])), 'invalid-reply');
  assert.equal(failed(bytes('{"error":"overloaded"}')), 'stream-error');
  assert.equal(failed(chunk('a')), 'truncated');
  assert.equal(failed(bytes('[DONE]')), 'empty-reply');
  assert.equal(parse([chunk('a'), bytes('{"cho')], false, true).failure, undefined);
});

test('a request has what was asked for', () => {
  const request = JSON.parse(new TextDecoder().decode(body('m', { max_tokens: 9 }, true, 'Be brief.', [], 4)));
  assert.equal(request.max_tokens, 4);
  assert.equal(request.messages[0].role, 'system');
});
