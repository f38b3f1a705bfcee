import assert from 'node:assert/strict';
import { test } from 'node:test';

import { api } from './build/plugin.js';

const bytes = (text) => new TextEncoder().encode(text);
api.open({ model: 'm', url: 'http://h/', stream: true, parameters: '{}', options: '{"system":"Be brief."}' });

function streamed(events, complete = true) {
  let at = 0;
  const frames = events.map(([event, data]) => ({ event, start: at, end: (at += bytes(data).length) }));
  const payload = bytes(events.map(([, data]) => data).join(''));
  return api.parse({ payload, frames, complete, framing: 'sse' });
}

test('a stream is understood', () => {
  const outcome = streamed([
    ['open', '{}'],
    ['thought', '{"text":"hm","tokens":1}'],
    ['piece', '{"text":"né","tokens":2}'],
    ['close', '{"reason":"stop","prompt_tokens":3,"output_tokens":3}'],
  ]);
  assert.equal(outcome.text, 'hmné');
  assert.deepEqual(outcome.outputs[1], { frame: 2, kind: 'content', textBytes: 3, tokens: 2 });
  assert.deepEqual([outcome.usage.inputTokens, outcome.usage.cachedTokens], [3n, undefined]);
  assert.equal(outcome.failure, undefined);
});

test('what the server does wrong is a failure', () => {
  const failed = (event, data) => streamed([[event, data]]).failure.kind;
  assert.equal(failed('piece', '{'), 'invalid-reply');
  assert.equal(failed('piece', '{"text":"\\ud800"}'), 'invalid-reply');
  assert.equal(failed('fault', '{"message":"no"}'), 'stream-error');
  assert.equal(failed('piece', '{"text":"a"}'), 'truncated');
  assert.equal(failed('close', '{}'), 'empty-reply');
  assert.equal(streamed([['piece', '{"te']], false).failure, undefined);
});

test('a request has what was asked for', () => {
  const turn = { history: [], turn: { prompt: { tag: 'text', val: 'Why?' }, maxTokens: 4 } };
  const body = JSON.parse(new TextDecoder().decode(api.shape(turn).body));
  const talk = [{ who: 'system', says: 'Be brief.' }, { who: 'user', says: 'Why?' }];
  assert.deepEqual(body, { model: 'm', stream: true, talk, settings: {}, limit: 4 });
  assert.throws(() => api.shape({ history: [], turn: { prompt: { tag: 'tokens', val: [1] } } }), { tag: 'unsupported' });
});
