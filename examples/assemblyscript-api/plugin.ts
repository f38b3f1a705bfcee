// A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.
// protocol.md beside the examples says what the server speaks, tickrate.ts is what plugins share.

import {
  ErrorKind, FailureKind, Framing, HttpRequest, JsonObject, Outcome, OutputKind, Reply, RunConfig, TurnInContext,
  eventOf, jsonString, postJson, refuse, utterances,
} from './tickrate/tickrate';

export const NAME = 'assemblyscript-api';
export const VERSION = '0.1.0';

// What --api-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
export const OPTIONS = `{
  "type": "object",
  "properties": {"system": {"type": "string", "description": "a system message before every chat"}},
  "additionalProperties": false
}`;

// What open was given. Nothing else is kept from one call to the next.
let run = new RunConfig();
let system: string | null = null;

// Called once for each instance, before anything else.
export function open(config: RunConfig): bool {
  const options = JsonObject.of(config.options);
  if (options === null || JsonObject.of(config.parameters) === null) {
    return refuse(ErrorKind.invalidConfig, 'the options and the parameters have to be JSON objects');
  }
  system = options.text('system');
  run = config;
  return true;
}

function said(who: string, says: string): string {
  return `{"who":${jsonString(who)},"says":${jsonString(says)}}`;
}

// The request for one turn. Null returns what `refuse` was told.
export function shape(context: TurnInContext): HttpRequest | null {
  const spoken = utterances(context);
  if (spoken === null) return null;
  const talk: string[] = [];
  const first = system;
  if (first !== null) talk.push(said('system', first));
  for (let i = 0; i < spoken.length; i++) talk.push(said(spoken[i].role, spoken[i].text));
  const most = context.turn.maxTokens;
  const limit = most === null ? '' : `,"limit":${most.value}`;
  const body = `{"model":${jsonString(run.model)},"stream":${run.stream},"talk":[${talk.join(',')}],"settings":${run.parameters}${limit}}`;
  return postJson(run.url, body, run.stream ? Framing.sse : Framing.whole);
}

// What a whole reply says. What the server did wrong is a failure in the outcome.
export function parse(reply: Reply): Outcome | null {
  const outcome = new Outcome();
  let closed = false;
  for (let i = 0; i < reply.frames.length; i++) {
    const event = eventOf(reply, i);
    const data = event.data;
    if (data === null) {
      outcome.unreadable(event);
      return outcome;
    }
    if (reply.framing == Framing.whole) {
      const message = data.text('fault');
      if (message !== null) outcome.fail(FailureKind.streamError, message);
      outcome.add(event, OutputKind.reasoning, data.text('thought'), null);
      outcome.add(event, OutputKind.content, data.text('text'), null);
      close(outcome, data);
    } else if (event.name == 'thought') {
      outcome.add(event, OutputKind.reasoning, data.text('text'), data.count('tokens'));
    } else if (event.name == 'piece') {
      outcome.add(event, OutputKind.content, data.text('text'), data.count('tokens'));
    } else if (event.name == 'close') {
      closed = true;
      close(outcome, data);
    } else if (event.name == 'fault') {
      const message = data.text('message');
      outcome.fail(FailureKind.streamError, message === null ? '' : message);
      return outcome;
    }
  }
  outcome.end(reply, closed);
  return outcome;
}

// Why the server stopped, and what it counted.
function close(outcome: Outcome, data: JsonObject): void {
  outcome.finishReason = data.text('reason');
  outcome.usage.inputTokens = data.count('prompt_tokens');
  outcome.usage.cachedTokens = data.count('cached_tokens');
  outcome.usage.outputTokens = data.count('output_tokens');
  outcome.usage.reasoningTokens = data.count('thought_tokens');
}
