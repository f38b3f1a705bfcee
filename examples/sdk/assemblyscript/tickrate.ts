// What most tickrate plugins in AssemblyScript need: the contract's types, refusals, JSON, replies, outcomes, lines.
// `tickrate plugin build` puts this folder beside a plugin that does not bring it as "tickrate".

import { content, files } from './host';
import { JsonObject, utf8Length } from './json';
import { putEnd, putOutputs, putText } from './memory';
import {
  ErrorKind, Failure, FailureKind, Framing, HttpRequest, Message, Num, OutputFrame, OutputKind, Pair, Part, PartKind,
  PluginError, Prompt, PromptKind, Reply, Turn, TurnInContext, Usage,
} from './types';

export * from './types';
export { Level, log, random } from './host';
export { JsonObject, jsonString } from './json';

// Why a function failed; `refuse` sets it.
export let refusal: PluginError = new PluginError(ErrorKind.internal, '');

// Fails with an error of the contract; the text is one line that says what to do. Returns false.
export function refuse(kind: ErrorKind, text: string): bool {
  refusal = new PluginError(kind, text);
  return false;
}

// One message that is text and nothing else.
export class Utterance {
  constructor(public role: string, public text: string) {}
}

// The whole conversation as roles and texts: what was said before, and then the turn's own. Null, with the refusal,
// if it is anything else than text.
export function utterances(context: TurnInContext): Utterance[] | null {
  const prompt = context.turn.prompt;
  if (prompt.kind != PromptKind.text && prompt.kind != PromptKind.chat) {
    refuse(ErrorKind.unsupported, 'this API takes texts and chats; choose another dataset');
    return null;
  }
  const messages = context.history.concat(prompt.chat);
  const said: Utterance[] = [];
  for (let i = 0; i < messages.length; i++) {
    let text = '';
    for (let j = 0; j < messages[i].content.length; j++) {
      const part = messages[i].content[j];
      if (part.kind != PartKind.text) {
        refuse(ErrorKind.unsupported, 'this API takes text only; choose another dataset');
        return null;
      }
      text += part.text;
    }
    said.push(new Utterance(messages[i].role, text));
  }
  if (prompt.kind == PromptKind.text) said.push(new Utterance('user', prompt.text));
  return said;
}

// A POST of a JSON body.
export function postJson(url: string, body: string, framing: Framing): HttpRequest {
  const request = new HttpRequest('POST', url, body, framing);
  request.headers.push(new Pair('Content-Type', 'application/json'));
  return request;
}

// One frame of a reply. The name is empty where its event has none; `mayBeCut` is the last frame of a reply that
// broke off.
export class Event {
  constructor(public index: u32, public name: string, public data: JsonObject | null, public mayBeCut: bool) {}
}

// A frame of a reply, with the JSON object in it; null if it is something else.
export function eventOf(reply: Reply, index: u32): Event {
  const frame = reply.frames[index];
  const data = JsonObject.at(reply.payload + frame.start, frame.end - frame.start);
  const name = frame.event;
  const last = <i32>index + 1 == reply.frames.length;
  return new Event(index, name === null ? '' : name, data, !reply.complete && last);
}

// What a plugin makes of a reply.
export class Outcome {
  usage: Usage = new Usage();
  finishReason: string | null = null;
  failure: Failure | null = null;
  labels: Pair[] = [];
  outputs: OutputFrame[] = [];
  private texts: string[] = [];

  // Notes that a frame brought `text`, of so many tokens where the server says so. A text that is empty or missing is
  // no output.
  add(event: Event, kind: OutputKind, text: string | null, tokens: Num<u64> | null): void {
    if (text === null || text.length == 0) return;
    const output = new OutputFrame(event.index, kind, String.UTF8.byteLength(text));
    if (tokens !== null && tokens.value <= u32.MAX_VALUE) output.tokens = new Num<u32>(<u32>tokens.value);
    this.outputs.push(output);
    this.texts.push(text);
  }

  // Notes a failure of the server's.
  fail(kind: FailureKind, message: string): void {
    this.failure = new Failure(kind, message);
  }

  // Notes that a frame is not what it should be, unless it may be half a frame. Read no further.
  unreadable(event: Event): void {
    if (event.mayBeCut) return;
    this.fail(FailureKind.invalidReply, `frame ${event.index} is not what the server should send`);
  }

  // Notes what is wrong with a reply as a whole, when all of its frames have been read.
  end(reply: Reply, closed: bool): void {
    if (!reply.complete || this.failure !== null) return;
    if (reply.framing != Framing.whole && !closed) {
      this.fail(FailureKind.truncated, 'the stream ended before the server had closed it');
    } else if (this.outputs.length == 0) {
      this.fail(FailureKind.emptyReply, 'the reply carried no output');
    }
  }

  // All output in the order it came.
  get text(): string {
    return this.texts.join('');
  }

  put(at: usize): void {
    putOutputs(at, this.outputs);
    putText(at + 8, this.text);
    putEnd(at, this.usage, this.finishReason, this.failure, this.labels);
  }
}

// A turn in which the user says `text`.
export function ask(text: string): Turn {
  const prompt = new Prompt(PromptKind.chat);
  prompt.chat.push(new Message('user', [new Part(PartKind.text, text)]));
  return new Turn(prompt);
}

// The lines of all files of the dataset that say something; null, with the refusal, if one cannot be read.
export function lines(): string[] | null {
  const all = files();
  if (all === null) return null;
  let found: string[] = [];
  for (let i = 0; i < all.length; i++) {
    const at = content(all[i]);
    if (at == 0) return null;
    found = found.concat(linesOf(at, <usize>all[i].bytes));
  }
  return found;
}

// The lines in so many bytes from an address on that say something, without white space around them; what is no UTF-8 is replaced.
export function linesOf(at: usize, bytes: usize): string[] {
  const found: string[] = [];
  const end = at + bytes;
  let line = '';
  let begins = at;
  while (at < end) {
    const length = utf8Length(at, end);
    if (length < 1 || load<u8>(at) == 0x0a) {
      line += String.UTF8.decodeUnsafe(begins, at - begins);
      if (length < 1) line += '\ufffd';
      else {
        found.push(line.trim());
        line = '';
      }
      begins = at + abs(length);
    }
    at += abs(length);
  }
  found.push((line + String.UTF8.decodeUnsafe(begins, at - begins)).trim());
  return found.filter((line) => line.length > 0);
}
