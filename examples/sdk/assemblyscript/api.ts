// The functions of an API.

import * as plugin from '../plugin';
import { givenFrames, givenMessages, givenOptional, givenPairs, givenPrompt, givenText, hold, putError, putRequest } from './memory';
import { Num, refusal, Reply, Turn, TurnInContext } from './tickrate';
import { given, returned } from './open';

export function api_open(
  model: usize, modelBytes: usize, url: usize, urlBytes: usize, stream: u32, seed: u64, expected: u64,
  parameters: usize, parametersBytes: usize, options: usize, optionsBytes: usize,
  hasPath: u32, path: usize, pathBytes: usize,
): usize {
  return returned(plugin.open(given(
    model, modelBytes, url, urlBytes, stream, seed, expected, parameters, parametersBytes, options, optionsBytes,
    hasPath, path, pathBytes,
  )));
}

export function api_shape(
  requestId: usize, requestIdBytes: usize, conversationId: usize, conversationIdBytes: usize, turnIndex: u32,
  history: usize, historyCount: u32, promptKind: u32, prompt: usize, promptCount: u32,
  hasMaxTokens: u32, maxTokens: u32, hasThinkTime: u32, thinkTimeMs: f64, headers: usize, headerCount: u32,
): usize {
  const turn = new Turn(givenPrompt(promptKind, prompt, promptCount));
  if (hasMaxTokens != 0) turn.maxTokens = new Num<u32>(maxTokens);
  if (hasThinkTime != 0) turn.thinkTimeMs = new Num<f64>(thinkTimeMs);
  turn.headers = givenPairs(headers, headerCount);
  const context = new TurnInContext(turn);
  context.requestId = givenText(requestId, requestIdBytes);
  context.conversationId = givenText(conversationId, conversationIdBytes);
  context.turnIndex = turnIndex;
  context.history = givenMessages(history, historyCount);
  const request = plugin.shape(context);
  const at = hold(40);
  if (request === null) putError(at, 4, refusal);
  else putRequest(at + 4, request);
  return at;
}

export function api_parse(
  status: u32, hasType: u32, contentType: usize, contentTypeBytes: usize, framing: u32, complete: u32,
  payload: usize, payloadBytes: usize, frames: usize, frameCount: u32,
): usize {
  const reply = new Reply();
  reply.status = status;
  reply.contentType = givenOptional(hasType, contentType, contentTypeBytes);
  reply.framing = framing;
  reply.complete = complete != 0;
  reply.payload = payload;
  reply.frames = givenFrames(frames, frameCount);
  const outcome = plugin.parse(reply);
  const at = hold(128);
  if (outcome === null) putError(at, 8, refusal);
  else outcome.put(at + 8);
  return at;
}
