// See dialect.h.

#include "dialect.h"

#include <stdlib.h>

// What open was given. Nothing else is kept from one call to the next.
static struct {
  tr_text model, url, settings, system;
  bool stream, has_system;
} run;

bool dialect_open(const tickrate_plugin_types_run_config_t *config, tickrate_plugin_types_plugin_error_t *error) {
  if (!tr_is_object(config->parameters) || !tr_is_object(config->options)) {
    return tr_refuse(error, TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_INVALID_CONFIG,
                     "the options and the parameters have to be JSON objects");
  }
  tr_buffer system = {0};
  run.has_system = tr_string(tr_member(config->options, "system"), &system);
  run.system = tr_text_of(&system);
  run.model = tr_copy(config->model);
  run.url = tr_copy(config->url);
  run.settings = tr_copy(config->parameters);
  run.stream = config->stream;
  return true;
}

static void say(tr_buffer *body, bool first, tr_text who, tr_text says) {
  tr_put(body, first ? "{\"who\":" : ",{\"who\":");
  tr_put_json(body, who);
  tr_put(body, ",\"says\":");
  tr_put_json(body, says);
  tr_put(body, "}");
}

bool dialect_shape(const tickrate_plugin_types_turn_in_context_t *turn,
                   tickrate_plugin_types_http_request_t *request, tickrate_plugin_types_plugin_error_t *error) {
  tr_utterance *said;
  size_t count;
  if (!tr_utterances(turn, &said, &count, error)) return false;
  tr_buffer body = {0};
  tr_put(&body, "{\"model\":");
  tr_put_json(&body, run.model);
  tr_put(&body, run.stream ? ",\"stream\":true,\"talk\":[" : ",\"stream\":false,\"talk\":[");
  if (run.has_system) say(&body, true, tr_borrow("system"), run.system);
  for (size_t i = 0; i < count; i++) say(&body, i == 0 && !run.has_system, said[i].role, said[i].text);
  tr_put(&body, "],\"settings\":");
  tr_put_text(&body, run.settings);
  if (turn->turn.max_tokens.is_some) {
    tr_put(&body, ",\"limit\":");
    tr_put_number(&body, turn->turn.max_tokens.val);
  }
  tr_put(&body, "}");
  tr_utterances_free(said, count);
  tr_post_json(request, run.url, &body,
               run.stream ? TICKRATE_PLUGIN_TYPES_FRAMING_SSE : TICKRATE_PLUGIN_TYPES_FRAMING_WHOLE);
  return true;
}

// Why the server stopped, and what it counted.
static void closed_with(tr_outcome *outcome, tr_text data) {
  tr_buffer reason = {0};
  tickrate_plugin_option_string_t *finish = &outcome->outcome.finish_reason;
  free(finish->val.ptr);
  finish->is_some = tr_string(tr_member(data, "reason"), &reason);
  finish->val = tr_text_of(&reason);
  outcome->outcome.usage = (tickrate_plugin_types_usage_t){
      .input_tokens = tr_count(tr_member(data, "prompt_tokens")),
      .cached_tokens = tr_count(tr_member(data, "cached_tokens")),
      .output_tokens = tr_count(tr_member(data, "output_tokens")),
      .reasoning_tokens = tr_count(tr_member(data, "thought_tokens")),
  };
}

// Notes the server's own failure, if `message` is a string or `always` is given.
static void fault(tr_outcome *outcome, tr_text message, bool always) {
  tr_buffer text = {0};
  if (tr_string(message, &text) || always) {
    tr_fail(outcome, TICKRATE_PLUGIN_TYPES_FAILURE_KIND_STREAM_ERROR, (tr_text){text.ptr, text.len});
  }
  free(text.ptr);
}

void dialect_parse(const tickrate_plugin_types_reply_t *reply, tickrate_plugin_types_outcome_t *into) {
  enum { CONTENT = TICKRATE_PLUGIN_TYPES_OUTPUT_KIND_CONTENT, REASONING = TICKRATE_PLUGIN_TYPES_OUTPUT_KIND_REASONING };
  tr_outcome outcome = {0};
  tr_text none = {0};
  bool closed = false, read_on = true;
  for (size_t i = 0; i < reply->frames.len && read_on; i++) {
    tr_event event = tr_event_of(reply, i);
    tr_text data = event.data;
    if (!tr_is_object(data)) {
      tr_unreadable(&outcome, event);
      read_on = false;
    } else if (reply->framing == TICKRATE_PLUGIN_TYPES_FRAMING_WHOLE) {
      fault(&outcome, tr_member(data, "fault"), false);
      tr_add(&outcome, event, REASONING, tr_member(data, "thought"), none);
      tr_add(&outcome, event, CONTENT, tr_member(data, "text"), none);
      closed_with(&outcome, data);
    } else if (tr_is(event.name, "thought")) {
      tr_add(&outcome, event, REASONING, tr_member(data, "text"), tr_member(data, "tokens"));
    } else if (tr_is(event.name, "piece")) {
      tr_add(&outcome, event, CONTENT, tr_member(data, "text"), tr_member(data, "tokens"));
    } else if (tr_is(event.name, "close")) {
      closed = true;
      closed_with(&outcome, data);
    } else if (tr_is(event.name, "fault")) {
      fault(&outcome, tr_member(data, "message"), true);
      read_on = false;
    }
  }
  if (read_on) tr_end(&outcome, reply, closed);
  tr_outcome_into(&outcome, into);
}
