// How values cross the boundary: the canonical ABI of the component model. `given…` reads at an address, `put…`
// writes there; the numbers are the places of members and the sizes of records.

import {
  Conversation, Failure, FrameMark, HttpRequest, Message, Num, OutputFrame, Pair, Part, PartKind, PluginError,
  Prompt, PromptKind, Turn, Usage,
} from './types';

// What there is for one call: arguments and answers.
const held: usize[] = [];

// Memory for so many bytes, until tickrate has read the answer.
export function hold(bytes: usize): usize {
  if (bytes == 0) return 8;
  const at = heap.alloc(bytes);
  memory.fill(at, 0, bytes);
  held.push(at);
  return at;
}

// Frees what there was for the call.
export function forget(): void {
  while (held.length > 0) heap.free(held.pop());
}

export function givenText(at: usize, bytes: usize): string {
  return String.UTF8.decodeUnsafe(at, bytes);
}

function textAt(at: usize): string {
  return givenText(load<u32>(at), load<u32>(at, 4));
}

export function givenOptional(some: u32, at: usize, bytes: usize): string | null {
  return some == 0 ? null : givenText(at, bytes);
}

export function givenPairs(at: usize, count: u32): Pair[] {
  const all: Pair[] = [];
  for (let i: u32 = 0; i < count; i++, at += 16) all.push(new Pair(textAt(at), textAt(at + 8)));
  return all;
}

function givenBytes(at: usize, bytes: usize): StaticArray<u8> {
  const all = new StaticArray<u8>(<i32>bytes);
  memory.copy(changetype<usize>(all), at, bytes);
  return all;
}

function givenParts(at: usize, count: u32): Part[] {
  const all: Part[] = [];
  for (let i: u32 = 0; i < count; i++, at += 20) {
    const kind: PartKind = load<u8>(at);
    const part = new Part(kind, textAt(at + 4));
    if (kind == PartKind.image || kind == PartKind.audio) part.data = givenBytes(load<u32>(at, 12), load<u32>(at, 16));
    all.push(part);
  }
  return all;
}

export function givenMessages(at: usize, count: u32): Message[] {
  const all: Message[] = [];
  for (let i: u32 = 0; i < count; i++, at += 24) {
    const message = new Message(textAt(at), givenParts(load<u32>(at, 8), load<u32>(at, 12)));
    message.fields = givenPairs(load<u32>(at, 16), load<u32>(at, 20));
    all.push(message);
  }
  return all;
}

export function givenPrompt(kind: PromptKind, at: usize, count: u32): Prompt {
  const prompt = new Prompt(kind);
  if (kind == PromptKind.text) prompt.text = givenText(at, count);
  else if (kind == PromptKind.chat) prompt.chat = givenMessages(at, count);
  else if (kind == PromptKind.body) prompt.body = givenBytes(at, count);
  else {
    prompt.tokens = new StaticArray<u32>(<i32>count);
    memory.copy(changetype<usize>(prompt.tokens), at, <usize>count * 4);
  }
  return prompt;
}

export function givenFrames(at: usize, count: u32): FrameMark[] {
  const all: FrameMark[] = [];
  for (let i: u32 = 0; i < count; i++, at += 32) {
    const frame = new FrameMark();
    frame.atNs = load<i64>(at);
    frame.event = givenOptional(load<u8>(at, 8), load<u32>(at, 12), load<u32>(at, 16));
    frame.start = load<u32>(at, 20);
    frame.end = load<u32>(at, 24);
    all.push(frame);
  }
  return all;
}

// The bytes of a text.
export function heldText(text: string): usize {
  const at = hold(String.UTF8.byteLength(text));
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at);
  return at;
}

export function putText(at: usize, text: string): void {
  putList(at, heldText(text), String.UTF8.byteLength(text));
}

function putList(at: usize, first: usize, count: i32): void {
  store<u32>(at, <u32>first);
  store<u32>(at, count, 4);
}

function putOptional(at: usize, text: string | null): void {
  if (text === null) return;
  store<u8>(at, 1);
  putText(at + 4, text);
}

function putNumber<T>(at: usize, number: Num<T> | null): void {
  if (number === null) return;
  store<u8>(at, 1);
  store<T>(at + sizeof<T>(), number.value);
}

function putPairs(at: usize, pairs: Pair[]): void {
  let to = hold(pairs.length * 16);
  putList(at, to, pairs.length);
  for (let i = 0; i < pairs.length; i++, to += 16) {
    putText(to, pairs[i].name);
    putText(to + 8, pairs[i].value);
  }
}

function putBytes(at: usize, bytes: StaticArray<u8>): void {
  const to = hold(bytes.length);
  memory.copy(to, changetype<usize>(bytes), bytes.length);
  putList(at, to, bytes.length);
}

function putParts(at: usize, parts: Part[]): void {
  let to = hold(parts.length * 20);
  putList(at, to, parts.length);
  for (let i = 0; i < parts.length; i++, to += 20) {
    store<u8>(to, <u8>parts[i].kind);
    putText(to + 4, parts[i].text);
    const data = parts[i].data;
    if (data !== null) putBytes(to + 12, data);
  }
}

function putMessages(at: usize, messages: Message[]): void {
  let to = hold(messages.length * 24);
  putList(at, to, messages.length);
  for (let i = 0; i < messages.length; i++, to += 24) {
    putText(to, messages[i].role);
    putParts(to + 8, messages[i].content);
    putPairs(to + 16, messages[i].fields);
  }
}

function putTurns(at: usize, turns: Turn[]): void {
  let to = hold(turns.length * 48);
  putList(at, to, turns.length);
  for (let i = 0; i < turns.length; i++, to += 48) {
    const prompt = turns[i].prompt;
    store<u8>(to, <u8>prompt.kind);
    if (prompt.kind == PromptKind.text) putText(to + 4, prompt.text);
    else if (prompt.kind == PromptKind.chat) putMessages(to + 4, prompt.chat);
    else if (prompt.kind == PromptKind.body) putBytes(to + 4, prompt.body);
    else {
      const tokens = hold(prompt.tokens.length * 4);
      memory.copy(tokens, changetype<usize>(prompt.tokens), prompt.tokens.length * 4);
      putList(to + 4, tokens, prompt.tokens.length);
    }
    putNumber<u32>(to + 12, turns[i].maxTokens);
    putNumber<f64>(to + 24, turns[i].thinkTimeMs);
    putPairs(to + 40, turns[i].headers);
  }
}

export function putConversations(at: usize, conversations: Conversation[]): void {
  let to = hold(conversations.length * 48);
  putList(at, to, conversations.length);
  for (let i = 0; i < conversations.length; i++, to += 48) {
    putOptional(to, conversations[i].id);
    putTurns(to + 12, conversations[i].turns);
    putNumber<f64>(to + 24, conversations[i].arrivalMs);
    putPairs(to + 40, conversations[i].labels);
  }
}

export function putRequest(at: usize, request: HttpRequest): void {
  putText(at, request.method);
  putText(at + 8, request.url);
  putPairs(at + 16, request.headers);
  putText(at + 24, request.body);
  store<u8>(at + 32, <u8>request.framing);
}

export function putOutputs(at: usize, outputs: OutputFrame[]): void {
  let to = hold(outputs.length * 20);
  putList(at, to, outputs.length);
  for (let i = 0; i < outputs.length; i++, to += 20) {
    store<u32>(to, outputs[i].frame);
    store<u8>(to + 4, <u8>outputs[i].kind);
    store<u32>(to + 8, outputs[i].textBytes);
    putNumber<u32>(to + 12, outputs[i].tokens);
  }
}

// What an outcome says beside its outputs and its text.
export function putEnd(at: usize, usage: Usage, finish: string | null, failure: Failure | null, labels: Pair[]): void {
  putNumber<u64>(at + 16, usage.inputTokens);
  putNumber<u64>(at + 32, usage.outputTokens);
  putNumber<u64>(at + 48, usage.reasoningTokens);
  putNumber<u64>(at + 64, usage.cachedTokens);
  putOptional(at + 80, finish);
  if (failure !== null) {
    store<u8>(at + 92, 1);
    store<u8>(at + 96, <u8>failure.kind);
    putText(at + 100, failure.message);
  }
  putPairs(at + 108, labels);
}

// An error of the contract, as the result that stands at an address, with its payload so many bytes behind.
export function putError(at: usize, payload: usize, error: PluginError): void {
  store<u8>(at, 1);
  store<u8>(at + payload, <u8>error.kind);
  putText(at + payload + 4, error.text);
}
