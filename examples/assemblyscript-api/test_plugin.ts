// Each function that is exported is a test.

import { open, parse, shape } from './plugin';
import {
  FailureKind, FrameMark, Outcome, Prompt, PromptKind, Reply, RunConfig, Turn, TurnInContext, Num,
} from './tickrate/tickrate';

// The outcome of a stream of one event.
function streamed(event: string, data: string, complete: bool = true): Outcome {
  const frame = new FrameMark();
  frame.event = event;
  frame.end = String.UTF8.byteLength(data);
  const reply = new Reply();
  reply.complete = complete;
  reply.frames = [frame];
  reply.payload = heap.alloc(frame.end);
  String.UTF8.encodeUnsafe(changetype<usize>(data), data.length, reply.payload);
  return parse(reply)!;
}

function failed(event: string, data: string): FailureKind {
  return streamed(event, data).failure!.kind;
}

export function a_stream_is_understood(): void {
  const piece = streamed('piece', '{"text":"n\\u00e9","tokens":2}');
  assert(piece.text == 'né' && piece.outputs.length == 1 && piece.outputs[0].tokens!.value == 2);
  const end = streamed('close', '{"reason":"stop","prompt_tokens":3,"output_tokens":-1}');
  assert(end.finishReason! == 'stop' && end.usage.inputTokens!.value == 3 && end.usage.outputTokens === null);
}

export function what_the_server_does_wrong_is_a_failure(): void {
  const unreadable = ['{', '', '[]', '{} x', '{"text":"\\ud800"}', '{"a":01}', '{"a":[1,]}'];
  for (let i = 0; i < unreadable.length; i++) assert(failed('piece', unreadable[i]) == FailureKind.invalidReply);
  assert(failed('fault', '{"message":"no"}') == FailureKind.streamError);
  assert(failed('piece', '{"text":"a"}') == FailureKind.truncated);
  assert(failed('close', '{}') == FailureKind.emptyReply);
  assert(streamed('piece', '{"te', false).failure === null);
}

export function a_request_has_what_was_asked_for(): void {
  const config = new RunConfig();
  config.model = 'm';
  config.stream = true;
  config.parameters = '{}';
  config.options = '{"system":"Be \\"brief\\"."}';
  assert(open(config));
  const prompt = new Prompt(PromptKind.text);
  prompt.text = 'Why?';
  const context = new TurnInContext(new Turn(prompt));
  context.turn.maxTokens = new Num<u32>(4);
  assert(
    shape(context)!.body ==
      '{"model":"m","stream":true,"talk":[{"who":"system","says":"Be \\"brief\\"."},{"who":"user","says":"Why?"}],' +
        '"settings":{},"limit":4}',
  );
  prompt.kind = PromptKind.tokens;
  assert(shape(context) === null);
}
