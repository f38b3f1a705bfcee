// What requests and replies look like. Nothing here knows of tickrate, so that plain node can test it.

const utf8 = new TextDecoder('utf-8', { fatal: true });
const DONE = '[DONE]';

/** The JSON object in `text`; throws if it is something else. */
export function objectOf(text) {
  const value = JSON.parse(text);
  if (!isObject(value)) throw new Error('not an object');
  return value;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body of a request. Messages are objects of a role and a content. */
export function body(model, parameters, stream, system, messages, maxTokens) {
  const first = system ? [{ role: 'system', content: system }] : [];
  const request = { ...parameters, model, messages: [...first, ...messages], stream };
  if (stream) request.stream_options = { include_usage: true };
  if (maxTokens !== undefined) request.max_tokens = maxTokens;
  return new TextEncoder().encode(JSON.stringify(request));
}

/**
 * What the frames of a reply say: outputs (the index of a frame and a text), usage (tokens of the
 * prompt and of the output), finishReason and failure (a kind and a text).
 */
export function parse(frames, complete, streamed) {
  const said = { outputs: [], usage: [undefined, undefined], finishReason: undefined, failure: undefined };
  let done = false;
  for (const [index, data] of frames.entries()) {
    let event, text;
    try {
      const plain = utf8.decode(data);
      if (plain === DONE) {
        done = true;
        continue;
      }
      event = objectOf(plain);
      text = textOf(event);
    } catch {
      // The end of a reply that broke off may be half a frame.
      if (complete || index + 1 < frames.length) {
        said.failure = ['invalid-reply', `frame ${index} is not what the server should send`];
      }
      return said;
    }
    if (event.error !== undefined && event.error !== null) {
      said.failure = ['stream-error', JSON.stringify(event.error)];
      return said;
    }
    if (text) said.outputs.push([index, text]);
    const reason = firstChoice(event).finish_reason;
    if (typeof reason === 'string') said.finishReason = reason;
    if (isObject(event.usage)) {
      said.usage = [count(event.usage.prompt_tokens), count(event.usage.completion_tokens)];
    }
  }
  if (complete && streamed && !done && said.finishReason === undefined) {
    said.failure = ['truncated', 'the stream ended before the server had finished'];
  } else if (complete && said.outputs.length === 0) {
    said.failure = ['empty-reply', 'the reply carried no output'];
  }
  return said;
}

function firstChoice(event) {
  const first = Array.isArray(event.choices) ? event.choices[0] : undefined;
  return isObject(first) ? first : {};
}

/** The text that an event brought; throws if it could not be written as UTF-8. */
function textOf(event) {
  const choice = firstChoice(event);
  const message = choice.delta ?? choice.message;
  const text = isObject(message) ? message.content : undefined;
  if (typeof text !== 'string') return '';
  encodeURIComponent(text); // throws at half a surrogate pair
  return text;
}

/** A number of tokens, if it is one. */
function count(value) {
  return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}
