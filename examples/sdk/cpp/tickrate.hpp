// tickrate.h for C++17: texts are std::string and std::string_view, and what is not there is std::nullopt.
#ifndef TICKRATE_HPP
#define TICKRATE_HPP

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tickrate.h"

namespace tickrate {

using Config = tickrate_plugin_types_run_config_t;
using Turn = tickrate_plugin_types_turn_in_context_t;
using Request = tickrate_plugin_types_http_request_t;
using Reply = tickrate_plugin_types_reply_t;
using Error = tickrate_plugin_types_plugin_error_t;
using Conversation = tickrate_plugin_types_conversation_t;

inline std::string_view view(tr_text text) { return {reinterpret_cast<const char *>(text.ptr), text.len}; }

// The same text; it is not copied.
inline tr_text borrow(std::string_view text) {
  return {reinterpret_cast<uint8_t *>(const_cast<char *>(text.data())), text.size()};
}

// A copy that the bindings may free.
inline tr_text copy(std::string_view text) { return tr_copy(borrow(text)); }

// `text` as a JSON string, quotes included.
inline std::string json(std::string_view text) {
  tr_buffer buffer = {};
  tr_put_json(&buffer, borrow(text));
  std::string written(view({buffer.ptr, buffer.len}));
  std::free(buffer.ptr);
  return written;
}

// A JSON object, read where it stands.
class Object {
 public:
  // None if `data` is something else.
  static std::optional<Object> in(tr_text data) {
    return tr_is_object(data) ? std::optional(Object(data)) : std::nullopt;
  }

  // The value of a member, as it is written; of length 0 if there is none.
  tr_text operator[](const char *name) const { return tr_member(data_, name); }

  // The text of a member; none if it is no string.
  std::optional<std::string> text(const char *name) const {
    tr_buffer buffer = {};
    std::optional<std::string> found;
    if (tr_string((*this)[name], &buffer)) found = std::string(view({buffer.ptr, buffer.len}));
    std::free(buffer.ptr);
    return found;
  }

  // The count in a member; none if it is no whole number from 0 on.
  std::optional<uint64_t> count(const char *name) const {
    auto count = tr_count((*this)[name]);
    return count.is_some ? std::optional(count.val) : std::nullopt;
  }

 private:
  explicit Object(tr_text data) : data_(data) {}
  tr_text data_;
};

using Utterance = std::pair<std::string, std::string>;

// The whole conversation as roles and texts; none, with the error, if it is anything else than text.
inline std::optional<std::vector<Utterance>> utterances(const Turn &turn, Error *error) {
  tr_utterance *said;
  size_t count;
  if (!tr_utterances(&turn, &said, &count, error)) return std::nullopt;
  std::vector<Utterance> all;
  for (size_t i = 0; i < count; i++) all.emplace_back(view(said[i].role), view(said[i].text));
  tr_utterances_free(said, count);
  return all;
}

// The frames of a reply, in order.
inline std::vector<tr_event> events(const Reply &reply) {
  std::vector<tr_event> all;
  for (size_t i = 0; i < reply.frames.len; i++) all.push_back(tr_event_of(&reply, i));
  return all;
}

// A `POST` of a JSON body.
inline void post_json(Request *request, std::string_view url, std::string_view json,
                      tickrate_plugin_types_framing_t framing) {
  tr_buffer body = {};
  tr_put_text(&body, borrow(json));
  tr_post_json(request, borrow(url), &body, framing);
}

}  // namespace tickrate

#endif
