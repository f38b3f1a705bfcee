// What most tickrate plugins in C need: texts, JSON, replies, outcomes, lines. Copy these files, and tickrate_plugin.h
// and .c for what you write (an API or a dataset), into a folder "tickrate" beside your plugin. Texts are bytes and
// a length, in UTF-8 and without a zero at the end. What a function of the contract returns is freed by tickrate's
// bindings, so that it has to come from malloc, as all of the below does.
#ifndef TICKRATE_H
#define TICKRATE_H

#include "tickrate_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef tickrate_plugin_string_t tr_text;

// A C string as a text; it is not copied.
tr_text tr_borrow(const char *string);
// A copy of its own.
tr_text tr_copy(tr_text text);
bool tr_is(tr_text text, const char *string);

// A text that grows. Begin with {0}.
typedef struct {
  uint8_t *ptr;
  size_t len, room;
} tr_buffer;

void tr_put(tr_buffer *buffer, const char *string);
void tr_put_text(tr_buffer *buffer, tr_text text);
void tr_put_number(tr_buffer *buffer, uint64_t number);
// Puts `text` as a JSON string, quotes included.
void tr_put_json(tr_buffer *buffer, tr_text text);
// What the buffer holds; it belongs to whoever asks.
tr_text tr_text_of(tr_buffer *buffer);

// JSON is read where it stands: a value is the text that writes it.

// Whether `data` is one JSON object in UTF-8. The functions below are for what passed this.
bool tr_is_object(tr_text data);
// The value of a member; a text of length 0 if there is none.
tr_text tr_member(tr_text object, const char *name);
// Puts the text that a JSON string stands for; false if the value is no string.
bool tr_string(tr_text value, tr_buffer *into);
// A count; none if the value is no whole number from 0 on.
tickrate_plugin_option_u64_t tr_count(tr_text value);

// Fails with an error of the contract: TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_UNSUPPORTED and so on. Returns false.
bool tr_refuse(tickrate_plugin_types_plugin_error_t *error, uint8_t tag, const char *text);

// One message that is text and nothing else.
typedef struct {
  tr_text role, text;
} tr_utterance;

// The whole conversation as roles and texts: what was said before, and then the turn's own. False, with the
// error, if it is anything else than text. Free what came with tr_utterances_free.
bool tr_utterances(const tickrate_plugin_types_turn_in_context_t *turn, tr_utterance **said, size_t *count,
                   tickrate_plugin_types_plugin_error_t *error);
void tr_utterances_free(tr_utterance *said, size_t count);

// A `POST` of a JSON body. The body then belongs to the request.
void tr_post_json(tickrate_plugin_types_http_request_t *request, tr_text url, tr_buffer *body,
                  tickrate_plugin_types_framing_t framing);

// One frame of a reply.
typedef struct {
  uint32_t index;
  tr_text name;     // of the event; empty where it has none
  tr_text data;
  bool may_be_cut;  // the last frame of a reply that broke off
} tr_event;

tr_event tr_event_of(const tickrate_plugin_types_reply_t *reply, size_t index);

// What a plugin makes of a reply. Begin with {0}, return it with tr_outcome_into.
typedef struct {
  tickrate_plugin_types_outcome_t outcome;
  tr_buffer text;
} tr_outcome;

// Notes the text in the JSON string `value` as an output of a frame, with the count in `tokens` as its tokens. An
// empty text is no output.
void tr_add(tr_outcome *outcome, tr_event event, tickrate_plugin_types_output_kind_t kind, tr_text value,
            tr_text tokens);
// Notes a failure of the server's.
void tr_fail(tr_outcome *outcome, tickrate_plugin_types_failure_kind_t kind, tr_text message);
// Notes that a frame is not what it should be, unless it may be half a frame. Read no further.
void tr_unreadable(tr_outcome *outcome, tr_event event);
// Notes what is wrong with a reply as a whole, when all of its frames have been read.
void tr_end(tr_outcome *outcome, const tickrate_plugin_types_reply_t *reply, bool closed);
void tr_outcome_into(tr_outcome *outcome, tickrate_plugin_types_outcome_t *into);

// A turn in which the user says `text`, which then belongs to it.
tickrate_plugin_types_turn_t tr_ask(tr_text text);

typedef struct {
  tr_text *ptr;
  size_t len;
} tr_lines;

// The lines in `data` that say something, without white space around them; bytes that are no UTF-8 are replaced.
void tr_lines_of(tr_text data, tr_lines *lines);
// Those of all files of the dataset (files.c). False, with the error, if one cannot be read.
bool tr_lines_of_files(tr_lines *lines, tickrate_plugin_types_plugin_error_t *error);

#ifdef __cplusplus
}
#endif
#endif
