// A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.
// Types: "npx jco types wit" writes them for TypeScript and editors.

import * as dialect from './dialect.js';

// What --api-args may hold. tickrate checks the options before it calls open.
const OPTIONS = {
  type: 'object',
  properties: { system: { type: 'string', description: 'a system message before every chat' } },
  additionalProperties: false,
};

// What a variant of the contract looks like: { tag, val }. To throw one is to return an error.
const refuse = (tag, val) => {
  throw { tag, val };
};

let opened;

export const info = {
  name: () => 'javascript-api',
  version: () => '0.1.0',
  optionsSchema: () => JSON.stringify(OPTIONS),
};

export const api = {
  /** Called once for each instance, before anything else. */
  open(config) {
    try {
      const parameters = dialect.objectOf(config.parameters);
      const { system } = dialect.objectOf(config.options);
      opened = { model: config.model, url: config.url, stream: config.stream, parameters, system };
    } catch (error) {
      refuse('invalid-config', String(error.message));
    }
  },

  /** The request for one turn. Nothing may be kept from one call to the next. */
  shape({ history, turn }) {
    const messages = history.map(plain);
    if (turn.prompt.tag === 'text') messages.push({ role: 'user', content: turn.prompt.val });
    else if (turn.prompt.tag === 'chat') messages.push(...turn.prompt.val.map(plain));
    else refuse('unsupported', 'this API takes texts and chats; choose another dataset');
    const { model, url, stream, parameters, system } = opened;
    return {
      method: 'POST',
      url,
      headers: [['Content-Type', 'application/json']],
      body: dialect.body(model, parameters, stream, system, messages, turn.maxTokens),
      framing: stream ? 'sse' : 'whole',
    };
  },

  /** What a whole reply says. What the server did wrong is a failure in the outcome. */
  parse({ payload, frames, complete, framing }) {
    const data = frames.map(({ start, end }) => payload.subarray(start, end));
    const said = dialect.parse(data, complete, framing === 'sse');
    const utf8 = new TextEncoder();
    const failure = said.failure && { kind: said.failure[0], message: said.failure[1] };
    return {
      outputs: said.outputs.map(([frame, text]) => ({
        frame,
        kind: 'content',
        textBytes: utf8.encode(text).length,
        tokens: undefined,
      })),
      text: said.outputs.map(([, text]) => text).join(''),
      usage: { inputTokens: said.usage[0], outputTokens: said.usage[1] },
      finishReason: said.finishReason,
      failure,
      labels: [],
    };
  },
};

/** A message of the server's. */
function plain({ role, content }) {
  if (content.some(({ tag }) => tag !== 'text')) {
    refuse('unsupported', 'this API takes text only; choose another dataset');
  }
  return { role, content: content.map(({ val }) => val).join('') };
}
