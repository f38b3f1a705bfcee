// A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.
// protocol.md beside the examples says what the server speaks, tickrate.js is what plugins share.

import {
  type Api,
  type Framing,
  type JsonObject,
  type Reply,
  Outcome,
  configObject,
  count,
  describe,
  events,
  objectOf,
  postJson,
  utterances,
} from './tickrate.js';

// What --api-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
const OPTIONS = {
  type: 'object',
  properties: { system: { type: 'string', description: 'a system message before every chat' } },
  additionalProperties: false,
};

type Opened = { model: string; url: string; stream: boolean; settings: JsonObject; system: string | undefined };

let opened: Opened;

export const info = describe('typescript-api', '0.1.0', OPTIONS);

export const api: Api = {
  /** Called once for each instance, before anything else. */
  open({ model, url, stream, parameters, options }) {
    const { system } = configObject(options) as { system?: string };
    opened = { model, url, stream, settings: configObject(parameters), system };
  },

  /** The request for one turn. Nothing may be kept from one call to the next. */
  shape(turn) {
    const { model, url, stream, settings, system } = opened;
    const said = utterances(turn);
    if (system !== undefined) said.unshift({ role: 'system', text: system });
    const talk = said.map(({ role, text }) => ({ who: role, says: text }));
    const body: JsonObject = { model, stream, talk, settings };
    if (turn.turn.maxTokens !== undefined) body.limit = turn.turn.maxTokens;
    const framing: Framing = stream ? 'sse' : 'whole';
    return postJson(url, body, framing);
  },

  /** What a whole reply says. What the server did wrong is a failure in the outcome. */
  parse(reply: Reply) {
    const outcome = new Outcome();
    let closed = false;
    for (const event of events(reply)) {
      const data = objectOf(event.data);
      if (data === undefined) {
        outcome.unreadable(event);
        return outcome;
      }
      if (reply.framing === 'whole') {
        if (typeof data.fault === 'string') outcome.fail('stream-error', data.fault);
        outcome.add(event, 'reasoning', data.thought);
        outcome.add(event, 'content', data.text);
        close(outcome, data);
      } else if (event.name === 'thought') outcome.add(event, 'reasoning', data.text, data.tokens);
      else if (event.name === 'piece') outcome.add(event, 'content', data.text, data.tokens);
      else if (event.name === 'close') {
        closed = true;
        close(outcome, data);
      } else if (event.name === 'fault') {
        outcome.fail('stream-error', String(data.message ?? ''));
        return outcome;
      }
    }
    outcome.end(reply, closed);
    return outcome;
  },
};

/** Why the server stopped, and what it counted. */
function close(outcome: Outcome, data: JsonObject) {
  outcome.finishReason = typeof data.reason === 'string' ? data.reason : undefined;
  outcome.usage = {
    inputTokens: count(data.prompt_tokens),
    cachedTokens: count(data.cached_tokens),
    outputTokens: count(data.output_tokens),
    reasoningTokens: count(data.thought_tokens),
  };
}
