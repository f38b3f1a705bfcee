// What most tickrate plugins in JavaScript and TypeScript need. Copy this file, and tickrate.d.ts for
// TypeScript and editors, beside your plugin. Nothing here calls tickrate, so that plain node can test it.

const utf8 = { read: new TextDecoder('utf-8', { fatal: true }), write: new TextEncoder() };

// Bytes that are read of a file at a time.
const PIECE = 1 << 20;

/** Returns an error of the contract: 'unsupported', 'invalid-config', 'invalid-data' or 'internal'. */
export function refuse(tag, text) {
  throw { tag, val: text };
}

/** The object `info`, which every plugin exports. One that is both takes other options as a dataset. */
export function describe(name, version, options, datasetOptions = options) {
  const optionsSchema = (role) => JSON.stringify(role === 'dataset' ? datasetOptions : options);
  return { name: () => name, version: () => version, optionsSchema };
}

/** The options or the parameters of a run's configuration, as an object. */
export function configObject(text) {
  return objectOf(text) ?? refuse('invalid-config', 'the options and the parameters have to be JSON objects');
}

/** The whole conversation as roles and texts: what was said before, and then the turn's own. */
export function utterances({ history, turn }) {
  const { tag, val } = turn.prompt;
  if (tag !== 'text' && tag !== 'chat') {
    refuse('unsupported', 'this API takes texts and chats; choose another dataset');
  }
  const said = history.concat(tag === 'chat' ? val : []).map(({ role, content }) => ({ role, text: plain(content) }));
  return tag === 'text' ? [...said, { role: 'user', text: val }] : said;
}

function plain(content) {
  if (content.some(({ tag }) => tag !== 'text')) {
    refuse('unsupported', 'this API takes text only; choose another dataset');
  }
  return content.map(({ val }) => val).join('');
}

/** A `POST` of a JSON body. */
export function postJson(url, body, framing) {
  const headers = [['Content-Type', 'application/json']];
  return { method: 'POST', url, headers, body: utf8.write.encode(JSON.stringify(body)), framing };
}

/** The frames of a reply in order: index, name of the event or '', data, and whether it may be half a frame. */
export function events({ payload, frames, complete }) {
  return frames.map(({ event, start, end }, index) => ({
    index,
    name: event ?? '',
    data: payload.subarray(start, end),
    mayBeCut: !complete && index + 1 === frames.length,
  }));
}

/** The JSON object in a text or in bytes; undefined if it is something else. */
export function objectOf(data) {
  try {
    const text = typeof data === 'string' ? data : utf8.read.decode(data);
    const value = JSON.parse(text, text.includes('\\u') ? writable : undefined);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What JSON.parse calls for each value; throws at half a surrogate pair, which UTF-8 cannot write. */
function writable(_, value) {
  if (typeof value === 'string') encodeURIComponent(value);
  return value;
}

/** A count; undefined if it is no whole number from 0 on. */
export function count(value) {
  return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/** What a plugin makes of a reply. */
export class Outcome {
  outputs = [];
  text = '';
  usage = { inputTokens: undefined, outputTokens: undefined, reasoningTokens: undefined, cachedTokens: undefined };
  finishReason = undefined;
  failure = undefined;
  labels = [];

  /** Notes that a frame brought `text`, of so many tokens where the server says so. */
  add(event, kind, text, tokens) {
    if (typeof text !== 'string' || text === '') return;
    const textBytes = utf8.write.encode(text).length;
    const counted = count(tokens);
    this.outputs.push({ frame: event.index, kind, textBytes, tokens: counted === undefined ? undefined : tokens });
    this.text += text;
  }

  /** Notes a failure of the server's. */
  fail(kind, message) {
    this.failure = { kind, message };
  }

  /** Notes that a frame is not what it should be, unless it may be half a frame. Read no further. */
  unreadable({ index, mayBeCut }) {
    if (!mayBeCut) this.fail('invalid-reply', `frame ${index} is not what the server should send`);
  }

  /** Notes what is wrong with a reply as a whole, when all of its frames have been read. */
  end({ complete, framing }, closed) {
    if (!complete || this.failure !== undefined) return;
    if (framing !== 'whole' && !closed) {
      this.fail('truncated', 'the stream ended before the server had closed it');
    } else if (this.outputs.length === 0) {
      this.fail('empty-reply', 'the reply carried no output');
    }
  }
}

/** A turn in which the user says `text`. */
export function ask(text) {
  const message = { role: 'user', content: [{ tag: 'text', val: text }], fields: [] };
  return { prompt: { tag: 'chat', val: [message] }, maxTokens: undefined, thinkTimeMs: undefined, headers: [] };
}

/** A conversation of these turns. */
export function conversation(id, turns) {
  return { id, turns, arrivalMs: undefined, labels: [] };
}

/** The lines of all files of the dataset that say something. `files` and `read` are the host's functions. */
export function lines(files, read) {
  return files().flatMap(({ name, bytes }) => {
    const all = new Uint8Array(Number(bytes));
    for (let at = 0; at < all.length; at += PIECE) all.set(read(name, BigInt(at), PIECE), at);
    return linesOf(all);
  });
}

/** The lines in `data` that say something; bytes that are no UTF-8 are replaced. */
export function linesOf(data) {
  const all = new TextDecoder().decode(data).split('\n');
  return all.map((line) => line.trim()).filter((line) => line !== '');
}
