// cc -Itickrate -o test_dialect test_dialect.c dialect.c tickrate/tickrate.c tickrate/json.c && ./test_dialect

#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "dialect.h"

// The outcome of a stream of one event.
static tickrate_plugin_types_outcome_t streamed(const char *event, const char *data, bool complete) {
  tr_text payload = tr_borrow(data);
  tickrate_plugin_types_frame_mark_t frame = {.event = {true, tr_borrow(event)}, .end = payload.len};
  tickrate_plugin_types_reply_t reply = {.status = 200,
                                         .framing = TICKRATE_PLUGIN_TYPES_FRAMING_SSE,
                                         .complete = complete,
                                         .payload = {payload.ptr, payload.len},
                                         .frames = {&frame, 1}};
  tickrate_plugin_types_outcome_t outcome;
  dialect_parse(&reply, &outcome);
  return outcome;
}

static int failed(const char *event, const char *data) {
  tickrate_plugin_types_outcome_t outcome = streamed(event, data, true);
  return outcome.failure.is_some ? outcome.failure.val.kind : -1;
}

static void a_stream_is_understood(void) {
  tickrate_plugin_types_outcome_t outcome = streamed("piece", " {\"tokens\":2 , \"text\":\"n\\u00e9\\ud83e\\udd80\"}", true);
  assert(tr_is(outcome.text, "n\xc3\xa9\xf0\x9f\xa6\x80"));
  assert(outcome.outputs.len == 1 && outcome.outputs.ptr[0].text_bytes == 7 && outcome.outputs.ptr[0].tokens.val == 2);
  outcome = streamed("close", "{\"reason\":\"stop\",\"prompt_tokens\":3,\"output_tokens\":-1}", true);
  assert(tr_is(outcome.finish_reason.val, "stop"));
  assert(outcome.usage.input_tokens.is_some && outcome.usage.input_tokens.val == 3 && !outcome.usage.output_tokens.is_some);
}

static void what_the_server_does_wrong_is_a_failure(void) {
  const char *unreadable[] = {"{", "", "[]", "{} x", "{\"text\":\"\\ud800\"}", "{\"text\":\"\xff\"}", "{\"a\":01}"};
  for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
    assert(failed("piece", unreadable[i]) == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_INVALID_REPLY);
  }
  assert(failed("fault", "{\"message\":\"no\"}") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_STREAM_ERROR);
  assert(failed("piece", "{\"text\":\"a\"}") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_TRUNCATED);
  assert(failed("close", "{}") == TICKRATE_PLUGIN_TYPES_FAILURE_KIND_EMPTY_REPLY);
  assert(!streamed("piece", "{\"te", false).failure.is_some);
}

static void a_request_has_what_was_asked_for(void) {
  tickrate_plugin_types_run_config_t config = {.model = tr_borrow("m"),
                                               .url = tr_borrow("http://h/"),
                                               .stream = true,
                                               .parameters = tr_borrow("{}"),
                                               .options = tr_borrow("{\"system\":\"Be \\\"brief\\\".\"}")};
  tickrate_plugin_types_plugin_error_t error;
  assert(dialect_open(&config, &error));
  tickrate_plugin_types_turn_in_context_t turn = {.turn = {.max_tokens = {true, 4}}};
  turn.turn.prompt.val.text = tr_borrow("Why?");
  tickrate_plugin_types_http_request_t request;
  assert(dialect_shape(&turn, &request, &error));
  assert(tr_is((tr_text){request.body.ptr, request.body.len},
               "{\"model\":\"m\",\"stream\":true,\"talk\":[{\"who\":\"system\",\"says\":\"Be \\\"brief\\\".\"},"
               "{\"who\":\"user\",\"says\":\"Why?\"}],\"settings\":{},\"limit\":4}"));
  turn.turn.prompt.tag = TICKRATE_PLUGIN_TYPES_PROMPT_TOKENS;
  assert(!dialect_shape(&turn, &request, &error) && error.tag == TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_UNSUPPORTED);
}

int main(void) {
  a_stream_is_understood();
  what_the_server_does_wrong_is_a_failure();
  a_request_has_what_was_asked_for();
  puts("all tests passed");
}
