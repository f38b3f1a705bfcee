// Texts, replies, outcomes and lines: see tickrate.h.

#include "tickrate.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static void *resized(void *ptr, size_t count, size_t size) {
  void *now = count <= SIZE_MAX / size ? realloc(ptr, count * size) : NULL;
  if (!now && count > 0) __builtin_trap();  // tickrate goes on with another instance
  return now;
}

// Room for one more element: twice as much whenever the length is a power of two.
static void *one_more(void *ptr, size_t len, size_t size) {
  return (len & (len - 1)) == 0 ? resized(ptr, len ? 2 * len : 1, size) : ptr;
}

tr_text tr_borrow(const char *string) { return (tr_text){(uint8_t *)string, strlen(string)}; }

tr_text tr_copy(tr_text text) {
  if (text.len == 0) return (tr_text){0};
  return (tr_text){memcpy(resized(NULL, text.len, 1), text.ptr, text.len), text.len};
}

bool tr_is(tr_text text, const char *string) {
  return text.len == strlen(string) && (text.len == 0 || memcmp(text.ptr, string, text.len) == 0);
}

void tr_put_text(tr_buffer *buffer, tr_text text) {
  if (text.len == 0) return;
  if (text.len > buffer->room - buffer->len) {
    size_t least = buffer->len + text.len, room = 2 * buffer->room;
    buffer->room = room > least ? room : least < 32 ? 32 : least;
    buffer->ptr = resized(buffer->ptr, buffer->room, 1);
  }
  memcpy(buffer->ptr + buffer->len, text.ptr, text.len);
  buffer->len += text.len;
}

void tr_put(tr_buffer *buffer, const char *string) { tr_put_text(buffer, tr_borrow(string)); }

void tr_put_number(tr_buffer *buffer, uint64_t number) {
  uint8_t digits[20];
  size_t first = sizeof digits;
  do digits[--first] = '0' + number % 10;
  while (number /= 10);
  tr_put_text(buffer, (tr_text){digits + first, sizeof digits - first});
}

tr_text tr_text_of(tr_buffer *buffer) {
  tr_text text = {buffer->ptr, buffer->len};
  // Nobody frees a text without bytes.
  if (text.len == 0) free(buffer->ptr), text.ptr = NULL;
  *buffer = (tr_buffer){0};
  return text;
}

bool tr_refuse(tickrate_plugin_types_plugin_error_t *error, uint8_t tag, const char *text) {
  error->tag = tag;
  error->val.internal = tr_copy(tr_borrow(text));
  return false;
}

// Puts the text of a message; false if a part of it is something else.
static bool plain(const tickrate_plugin_types_message_t *message, tr_buffer *into) {
  for (size_t i = 0; i < message->content.len; i++) {
    const tickrate_plugin_types_part_t *part = &message->content.ptr[i];
    if (part->tag != TICKRATE_PLUGIN_TYPES_PART_TEXT) return false;
    tr_put_text(into, part->val.text);
  }
  return true;
}

bool tr_utterances(const tickrate_plugin_types_turn_in_context_t *turn, tr_utterance **said, size_t *count,
                   tickrate_plugin_types_plugin_error_t *error) {
  const tickrate_plugin_types_prompt_t *prompt = &turn->turn.prompt;
  tickrate_plugin_types_list_message_t now = {0};
  bool is_text = prompt->tag == TICKRATE_PLUGIN_TYPES_PROMPT_TEXT;
  if (prompt->tag == TICKRATE_PLUGIN_TYPES_PROMPT_CHAT) {
    now = prompt->val.chat;
  } else if (!is_text) {
    return tr_refuse(error, TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_UNSUPPORTED,
                     "this API takes texts and chats; choose another dataset");
  }
  size_t before = turn->history.len, all = before + now.len;
  *said = resized(NULL, all + 1, sizeof **said);
  for (*count = 0; *count < all; ++*count) {
    const tickrate_plugin_types_message_t *message =
        *count < before ? &turn->history.ptr[*count] : &now.ptr[*count - before];
    tr_buffer text = {0};
    if (!plain(message, &text)) {
      free(text.ptr);
      tr_utterances_free(*said, *count);
      return tr_refuse(error, TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_UNSUPPORTED,
                       "this API takes text only; choose another dataset");
    }
    (*said)[*count] = (tr_utterance){tr_copy(message->role), tr_text_of(&text)};
  }
  if (is_text) (*said)[(*count)++] = (tr_utterance){tr_copy(tr_borrow("user")), tr_copy(prompt->val.text)};
  return true;
}

void tr_utterances_free(tr_utterance *said, size_t count) {
  for (size_t i = 0; i < count; i++) free(said[i].role.ptr), free(said[i].text.ptr);
  free(said);
}

void tr_post_json(tickrate_plugin_types_http_request_t *request, tr_text url, tr_buffer *body,
                  tickrate_plugin_types_framing_t framing) {
  tickrate_plugin_tuple2_string_string_t *header = resized(NULL, 1, sizeof *header);
  header->f0 = tr_copy(tr_borrow("Content-Type"));
  header->f1 = tr_copy(tr_borrow("application/json"));
  tr_text bytes = tr_text_of(body);
  request->method = tr_copy(tr_borrow("POST"));
  request->url = tr_copy(url);
  request->headers.ptr = header;
  request->headers.len = 1;
  request->body.ptr = bytes.ptr;
  request->body.len = bytes.len;
  request->framing = framing;
}

tr_event tr_event_of(const tickrate_plugin_types_reply_t *reply, size_t index) {
  const tickrate_plugin_types_frame_mark_t *frame = &reply->frames.ptr[index];
  tr_event event = {.index = index, .may_be_cut = !reply->complete && index + 1 == reply->frames.len};
  if (frame->event.is_some) event.name = frame->event.val;
  if (frame->start <= frame->end && frame->end <= reply->payload.len) {
    event.data = (tr_text){reply->payload.ptr + frame->start, frame->end - frame->start};
  }
  return event;
}

void tr_add(tr_outcome *outcome, tr_event event, tickrate_plugin_types_output_kind_t kind, tr_text value,
            tr_text tokens) {
  size_t before = outcome->text.len;
  if (!tr_string(value, &outcome->text) || outcome->text.len == before) return;
  tickrate_plugin_types_list_output_frame_t *outputs = &outcome->outcome.outputs;
  outputs->ptr = one_more(outputs->ptr, outputs->len, sizeof *outputs->ptr);
  tickrate_plugin_option_u64_t count = tr_count(tokens);
  outputs->ptr[outputs->len++] = (tickrate_plugin_types_output_frame_t){
      .frame = event.index,
      .kind = kind,
      .text_bytes = outcome->text.len - before,
      .tokens = {.is_some = count.is_some && count.val <= UINT32_MAX, .val = count.val},
  };
}

void tr_fail(tr_outcome *outcome, tickrate_plugin_types_failure_kind_t kind, tr_text message) {
  tickrate_plugin_types_option_failure_t *failure = &outcome->outcome.failure;
  free(failure->val.message.ptr);
  failure->is_some = true;
  failure->val.kind = kind;
  failure->val.message = tr_copy(message);
}

void tr_unreadable(tr_outcome *outcome, tr_event event) {
  if (event.may_be_cut) return;
  tr_buffer message = {0};
  tr_put(&message, "frame ");
  tr_put_number(&message, event.index);
  tr_put(&message, " is not what the server should send");
  tr_fail(outcome, TICKRATE_PLUGIN_TYPES_FAILURE_KIND_INVALID_REPLY, (tr_text){message.ptr, message.len});
  free(message.ptr);
}

void tr_end(tr_outcome *outcome, const tickrate_plugin_types_reply_t *reply, bool closed) {
  if (!reply->complete || outcome->outcome.failure.is_some) return;
  if (reply->framing != TICKRATE_PLUGIN_TYPES_FRAMING_WHOLE && !closed) {
    tr_fail(outcome, TICKRATE_PLUGIN_TYPES_FAILURE_KIND_TRUNCATED,
            tr_borrow("the stream ended before the server had closed it"));
  } else if (outcome->outcome.outputs.len == 0) {
    tr_fail(outcome, TICKRATE_PLUGIN_TYPES_FAILURE_KIND_EMPTY_REPLY, tr_borrow("the reply carried no output"));
  }
}

void tr_outcome_into(tr_outcome *outcome, tickrate_plugin_types_outcome_t *into) {
  *into = outcome->outcome;
  into->text = tr_text_of(&outcome->text);
}

tickrate_plugin_types_turn_t tr_ask(tr_text text) {
  tickrate_plugin_types_message_t *message = resized(NULL, 1, sizeof *message);
  tickrate_plugin_types_part_t *part = resized(NULL, 1, sizeof *part);
  part->tag = TICKRATE_PLUGIN_TYPES_PART_TEXT;
  part->val.text = text;
  *message = (tickrate_plugin_types_message_t){.role = tr_copy(tr_borrow("user")), .content = {part, 1}};
  tickrate_plugin_types_turn_t turn = {.prompt = {.tag = TICKRATE_PLUGIN_TYPES_PROMPT_CHAT}};
  turn.prompt.val.chat.ptr = message;
  turn.prompt.val.chat.len = 1;
  return turn;
}

static bool is_white(uint32_t code) {
  return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

void tr_lines_of(tr_text data, tr_lines *lines) {
  const uint8_t *p = data.ptr, *end = data.ptr + data.len;
  tr_buffer line = {0};
  size_t trimmed = 0;  // the line's length up to its last character that is not white
  while (p <= end) {
    uint32_t code = '\n';
    int length = p < end ? utf8_read(p, end, &code) : 1;
    if (length < 0) code = 0xfffd;
    p += abs(length);
    if (code != '\n') {
      uint8_t bytes[4];
      if (!is_white(code) || line.len > 0) tr_put_text(&line, (tr_text){bytes, utf8_write(code, bytes)});
      if (!is_white(code)) trimmed = line.len;
      continue;
    }
    if (trimmed > 0) {
      lines->ptr = one_more(lines->ptr, lines->len, sizeof *lines->ptr);
      lines->ptr[lines->len++] = tr_copy((tr_text){line.ptr, trimmed});
    }
    line.len = trimmed = 0;
  }
  free(line.ptr);
}

#ifdef __wasm__
// The C library's own writes to a stream first, which is nothing that a plugin has.
void abort(void) { __builtin_trap(); }
#endif
