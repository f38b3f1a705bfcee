// The types of the contract (wit/types.wit says what the members mean) and of tickrate.js.
// What tickrate offers to a plugin is in host.d.ts.

export type Pair = [name: string, value: string];
export type Media = { mime: string; data: Uint8Array };
export type Part =
  | { tag: 'text'; val: string }
  | { tag: 'image'; val: Media }
  | { tag: 'audio'; val: Media }
  | { tag: 'json'; val: string };
export type Message = { role: string; content: Part[]; fields: Pair[] };
export type Prompt =
  | { tag: 'text'; val: string }
  | { tag: 'tokens'; val: Uint32Array }
  | { tag: 'chat'; val: Message[] }
  | { tag: 'body'; val: Uint8Array };
export type Turn = { prompt: Prompt; maxTokens?: number; thinkTimeMs?: number; headers: Pair[] };
export type Conversation = { id?: string; turns: Turn[]; arrivalMs?: number; labels: Pair[] };

export type RunConfig = {
  model: string;
  url: string;
  stream: boolean;
  seed: bigint;
  expected: bigint;
  parameters: string;
  options: string;
  datasetPath?: string;
};
export type TurnInContext = {
  requestId: string;
  conversationId: string;
  turnIndex: number;
  history: Message[];
  turn: Turn;
};

export type Framing = 'sse' | 'ndjson' | 'raw' | 'whole';
export type HttpRequest = { method: string; url: string; headers: Pair[]; body: Uint8Array; framing: Framing };
export type FrameMark = { atNs: bigint; event?: string; start: number; end: number };
export type Reply = {
  status: number;
  contentType?: string;
  framing: Framing;
  complete: boolean;
  payload: Uint8Array;
  frames: FrameMark[];
};

export type OutputKind = 'content' | 'reasoning' | 'tool-call';
export type OutputFrame = { frame: number; kind: OutputKind; textBytes: number; tokens?: number };
export type Usage = { inputTokens?: bigint; outputTokens?: bigint; reasoningTokens?: bigint; cachedTokens?: bigint };
export type FailureKind = 'stream-error' | 'invalid-reply' | 'empty-reply' | 'truncated';
export type Failure = { kind: FailureKind; message: string };

/** What a plugin exports as `info`, and as `api` or `dataset`. */
export type Role = 'dataset' | 'api';
export type Info = { name(): string; version(): string; optionsSchema(role: Role): string };
export type Api = {
  open(config: RunConfig): void;
  shape(turn: TurnInContext): HttpRequest;
  parse(reply: Reply): Outcome;
};
export type Dataset = { open(config: RunConfig): void; next(atMost: number): Conversation[] };

/** What JSON can hold. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export type JsonObject = { [member: string]: Json | undefined };

/** Returns an error of the contract. */
export function refuse(tag: 'invalid-config' | 'invalid-data' | 'unsupported' | 'internal', text: string): never;
/** The object `info`; `options` is a JSON Schema, and `datasetOptions` the dataset's in a plugin that is both. */
export function describe(name: string, version: string, options: JsonObject, datasetOptions?: JsonObject): Info;
/** The options or the parameters of a run's configuration, as an object. */
export function configObject(text: string): JsonObject;
/** The whole conversation as roles and texts: what was said before, and then the turn's own. */
export function utterances(turn: TurnInContext): { role: string; text: string }[];
/** A `POST` of a JSON body. */
export function postJson(url: string, body: JsonObject, framing: Framing): HttpRequest;

/** One frame of a reply. */
export type Event = { index: number; name: string; data: Uint8Array; mayBeCut: boolean };
/** The frames of a reply in order. */
export function events(reply: Reply): Event[];
/** The JSON object in a text or in bytes; undefined if it is something else. */
export function objectOf(data: string | Uint8Array): JsonObject | undefined;
/** A count; undefined if it is no whole number from 0 on. */
export function count(value: unknown): bigint | undefined;

/** What a plugin makes of a reply. */
export class Outcome {
  outputs: OutputFrame[];
  text: string;
  usage: Usage;
  finishReason?: string;
  failure?: Failure;
  labels: Pair[];
  /** Notes that a frame brought `text`, of so many tokens where the server says so. */
  add(event: Event, kind: OutputKind, text: unknown, tokens?: unknown): void;
  /** Notes a failure of the server's. */
  fail(kind: FailureKind, message: string): void;
  /** Notes that a frame is not what it should be, unless it may be half a frame. Read no further. */
  unreadable(event: Event): void;
  /** Notes what is wrong with a reply as a whole, when all of its frames have been read. */
  end(reply: Reply, closed: boolean): void;
}

/** A turn in which the user says `text`. */
export function ask(text: string): Turn;
/** A conversation of these turns. */
export function conversation(id: string | undefined, turns: Turn[]): Conversation;

/** A file of the dataset. */
export type File = { name: string; bytes: bigint };
/** The lines of all files of the dataset that say something. */
export function lines(
  files: () => File[],
  read: (name: string, offset: bigint, length: number) => Uint8Array,
): string[];
/** The lines in `data` that say something; bytes that are no UTF-8 are replaced. */
export function linesOf(data: Uint8Array): string[];
