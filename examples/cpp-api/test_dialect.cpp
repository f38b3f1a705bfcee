// README.md says how this is compiled and run.

#undef NDEBUG
#include <cassert>
#include <cstdio>

#include "dialect.hpp"

// The outcome of a stream of one event.
static tr_outcome streamed(const char *event, const char *data, bool complete = true) {
  tr_text payload = tr_borrow(data);
  tickrate_plugin_types_frame_mark_t frame = {};
  frame.event = {true, tr_borrow(event)};
  frame.end = payload.len;
  tickrate::Reply reply = {};
  reply.framing = TICKRATE_PLUGIN_TYPES_FRAMING_SSE;
  reply.complete = complete;
  reply.payload = {payload.ptr, payload.len};
  reply.frames = {&frame, 1};
  return Dialect::parse(reply);
}

static int failed(const char *event, const char *data) {
  auto outcome = streamed(event, data).outcome;
  return outcome.failure.is_some ? outcome.failure.val.kind : -1;
}

static void a_stream_is_understood() {
  auto piece = streamed("piece", "{\"text\":\"n\\u00e9\",\"tokens\":2}");
  assert(tickrate::view({piece.text.ptr, piece.text.len}) == "n\xc3\xa9");
  assert(piece.outcome.outputs.len == 1 && piece.outcome.outputs.ptr[0].tokens.val == 2);
  auto closed = streamed("close", "{\"reason\":\"stop\",\"prompt_tokens\":3}").outcome;
  assert(tickrate::view(closed.finish_reason.val) == "stop" && closed.usage.input_tokens.val == 3);
  assert(!closed.usage.output_tokens.is_some);
}

static void what_the_server_does_wrong_is_a_failure() {
  assert(failed("piece", "{") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_INVALID_REPLY);
  assert(failed("fault", "{\"message\":\"no\"}") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_STREAM_ERROR);
  assert(failed("piece", "{\"text\":\"a\"}") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_TRUNCATED);
  assert(failed("close", "{}") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_EMPTY_REPLY);
  assert(!streamed("piece", "{\"te", false).outcome.failure.is_some);
}

static void a_request_has_what_was_asked_for() {
  tickrate::Config config = {};
  config.model = tr_borrow("m");
  config.stream = true;
  config.parameters = tr_borrow("{}");
  config.options = tr_borrow("{\"system\":\"Be brief.\"}");
  Dialect dialect;
  tickrate::Error error;
  assert(dialect.open(config, &error));
  tickrate::Turn turn = {};
  turn.turn.prompt.val.text = tr_borrow("Why?");
  turn.turn.max_tokens = {true, 4};
  tickrate::Request request;
  assert(dialect.shape(turn, &request, &error));
  assert(tickrate::view({request.body.ptr, request.body.len}) ==
         "{\"model\":\"m\",\"stream\":true,\"talk\":[{\"who\":\"system\",\"says\":\"Be brief.\"},"
         "{\"who\":\"user\",\"says\":\"Why?\"}],\"settings\":{},\"limit\":4}");
}

int main() {
  a_stream_is_understood();
  what_the_server_does_wrong_is_a_failure();
  a_request_has_what_was_asked_for();
  std::puts("all tests passed");
}
