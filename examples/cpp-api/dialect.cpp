// See dialect.hpp.

#include "dialect.hpp"

using tickrate::Object;

bool Dialect::open(const tickrate::Config &config, tickrate::Error *error) {
  auto options = Object::in(config.options);
  if (!options || !Object::in(config.parameters)) {
    return tr_refuse(error, TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_INVALID_CONFIG,
                     "the options and the parameters have to be JSON objects");
  }
  system_ = options->text("system");
  model_ = tickrate::view(config.model);
  url_ = tickrate::view(config.url);
  settings_ = tickrate::view(config.parameters);
  stream_ = config.stream;
  return true;
}

bool Dialect::shape(const tickrate::Turn &turn, tickrate::Request *request, tickrate::Error *error) const {
  auto said = tickrate::utterances(turn, error);
  if (!said) return false;
  if (system_) said->insert(said->begin(), {"system", *system_});
  std::string talk;
  for (const auto &[who, says] : *said) {
    talk += talk.empty() ? "" : ",";
    talk += "{\"who\":" + tickrate::json(who) + ",\"says\":" + tickrate::json(says) + "}";
  }
  std::string body = "{\"model\":" + tickrate::json(model_) + ",\"stream\":" + (stream_ ? "true" : "false") +
                     ",\"talk\":[" + talk + "],\"settings\":" + settings_;
  if (turn.turn.max_tokens.is_some) body += ",\"limit\":" + std::to_string(turn.turn.max_tokens.val);
  tickrate::post_json(request, url_, body + "}",
                      stream_ ? TICKRATE_PLUGIN_TYPES_FRAMING_SSE : TICKRATE_PLUGIN_TYPES_FRAMING_WHOLE);
  return true;
}

// Why the server stopped, and what it counted.
static void close(tr_outcome &outcome, const Object &data) {
  auto &finish = outcome.outcome.finish_reason;
  auto reason = data.text("reason");
  std::free(finish.val.ptr);
  finish.is_some = reason.has_value();
  finish.val = tickrate::copy(reason.value_or(""));
  outcome.outcome.usage.input_tokens = tr_count(data["prompt_tokens"]);
  outcome.outcome.usage.cached_tokens = tr_count(data["cached_tokens"]);
  outcome.outcome.usage.output_tokens = tr_count(data["output_tokens"]);
  outcome.outcome.usage.reasoning_tokens = tr_count(data["thought_tokens"]);
}

static void fault(tr_outcome &outcome, std::string_view message) {
  tr_fail(&outcome, TICKRATE_PLUGIN_TYPES_FAILURE_KIND_STREAM_ERROR, tickrate::borrow(message));
}

tr_outcome Dialect::parse(const tickrate::Reply &reply) {
  constexpr auto CONTENT = TICKRATE_PLUGIN_TYPES_OUTPUT_KIND_CONTENT;
  constexpr auto REASONING = TICKRATE_PLUGIN_TYPES_OUTPUT_KIND_REASONING;
  tr_outcome outcome = {};
  bool closed = false;
  for (const tr_event &event : tickrate::events(reply)) {
    auto data = Object::in(event.data);
    auto name = tickrate::view(event.name);
    if (!data) {
      tr_unreadable(&outcome, event);
      return outcome;
    }
    if (reply.framing == TICKRATE_PLUGIN_TYPES_FRAMING_WHOLE) {
      if (auto message = data->text("fault")) fault(outcome, *message);
      tr_add(&outcome, event, REASONING, (*data)["thought"], {});
      tr_add(&outcome, event, CONTENT, (*data)["text"], {});
      close(outcome, *data);
    } else if (name == "thought") {
      tr_add(&outcome, event, REASONING, (*data)["text"], (*data)["tokens"]);
    } else if (name == "piece") {
      tr_add(&outcome, event, CONTENT, (*data)["text"], (*data)["tokens"]);
    } else if (name == "close") {
      closed = true;
      close(outcome, *data);
    } else if (name == "fault") {
      fault(outcome, data->text("message").value_or(""));
      return outcome;
    }
  }
  tr_end(&outcome, &reply, closed);
  return outcome;
}
