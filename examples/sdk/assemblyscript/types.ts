// The contract in AssemblyScript; wit/types.wit says more of each member. What may be missing is null, numbers
// among it: they are a Num then.

export class Num<T> {
  constructor(public value: T) {}
}

export class Pair {
  constructor(public name: string, public value: string) {}
}

// What a part of a message can be; json is a part in the API's own JSON.
export enum PartKind { text, image, audio, json }

// One piece of a message's content: a text, or data with its MIME type in its place.
export class Part {
  data: StaticArray<u8> | null = null;
  constructor(public kind: PartKind, public text: string) {}
}

export class Message {
  fields: Pair[] = [];
  constructor(public role: string, public content: Part[]) {}
}

// What a turn can ask with; a body is a whole request body in the API's own JSON.
export enum PromptKind { text, tokens, chat, body }

// What a turn asks: the member that its kind names.
export class Prompt {
  text: string = '';
  tokens: StaticArray<u32> = [];
  chat: Message[] = [];
  body: StaticArray<u8> = [];
  constructor(public kind: PromptKind) {}
}

export class Turn {
  maxTokens: Num<u32> | null = null;
  thinkTimeMs: Num<f64> | null = null;
  headers: Pair[] = [];
  constructor(public prompt: Prompt) {}
}

export class Conversation {
  arrivalMs: Num<f64> | null = null;
  labels: Pair[] = [];
  constructor(public id: string | null, public turns: Turn[]) {}
}

export class TurnInContext {
  requestId: string = '';
  conversationId: string = '';
  turnIndex: u32 = 0;
  history: Message[] = [];
  constructor(public turn: Turn) {}
}

// The facts of the run. Parameters and options are texts of one JSON object each.
export class RunConfig {
  model: string = '';
  url: string = '';
  stream: bool = false;
  seed: u64 = 0;
  expected: u64 = 0;
  parameters: string = '';
  options: string = '';
  datasetPath: string | null = null;
}

export enum Framing { sse, ndjson, raw, whole }

export class HttpRequest {
  headers: Pair[] = [];
  constructor(public method: string, public url: string, public body: string, public framing: Framing) {}
}

// One frame of a reply: its bytes are those of the payload from start to end.
export class FrameMark {
  atNs: i64 = 0;
  event: string | null = null;
  start: u32 = 0;
  end: u32 = 0;
}

// A successful reply, whole. The payload stands where tickrate put it, until parse returns.
export class Reply {
  status: u32 = 0;
  contentType: string | null = null;
  framing: Framing = Framing.sse;
  complete: bool = false;
  payload: usize = 0;
  frames: FrameMark[] = [];
}

export enum OutputKind { content, reasoning, toolCall }

// A frame that carried output: so many bytes of the outcome's text.
export class OutputFrame {
  tokens: Num<u32> | null = null;
  constructor(public frame: u32, public kind: OutputKind, public textBytes: u32) {}
}

export class Usage {
  inputTokens: Num<u64> | null = null;
  outputTokens: Num<u64> | null = null;
  reasoningTokens: Num<u64> | null = null;
  cachedTokens: Num<u64> | null = null;
}

export enum FailureKind { streamError, invalidReply, emptyReply, truncated }

export class Failure {
  constructor(public kind: FailureKind, public message: string) {}
}

export enum ErrorKind { invalidConfig, invalidData, unsupported, internal }

// Why a plugin could not do what it was asked to: `refuse` says so.
export class PluginError {
  constructor(public kind: ErrorKind, public text: string) {}
}
