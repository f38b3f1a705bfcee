// See questions.h.

#include "questions.h"

#include <stdlib.h>

tr_text questions_sum(uint64_t number, uint64_t (*random)(void)) {
  uint64_t a = random() % 100, b = random() % 100;
  tr_buffer text = {0};
  tr_put_number(&text, number);
  tr_put(&text, ". What is ");
  tr_put_number(&text, a);
  tr_put(&text, " + ");
  tr_put_number(&text, b);
  tr_put(&text, "?");
  return tr_text_of(&text);
}

static void *zeroed(size_t count, size_t size) {
  void *ptr = calloc(count, size);
  if (!ptr) __builtin_trap();
  return ptr;
}

static void ask(questions *from, tickrate_plugin_types_conversation_t *conversation) {
  uint64_t number = from->given++;
  tr_buffer id = {0};
  tr_put(&id, "question-");
  tr_put_number(&id, number);
  conversation->id.is_some = true;
  conversation->id.val = tr_text_of(&id);
  conversation->turns.len = from->turns;
  conversation->turns.ptr = zeroed(from->turns, sizeof *conversation->turns.ptr);
  conversation->turns.ptr[0] =
      tr_ask(from->has_file ? tr_copy(from->lines.ptr[number]) : questions_sum(number, from->random));
  for (size_t i = 1; i < from->turns; i++) {
    conversation->turns.ptr[i] = tr_ask(tr_copy(tr_borrow("Are you sure?")));
  }
}

tickrate_plugin_types_conversation_t *questions_next(questions *from, uint32_t at_most, size_t *count) {
  *count = at_most;
  if (from->has_file && from->lines.len - from->given < at_most) *count = from->lines.len - from->given;
  if (*count == 0) return NULL;
  tickrate_plugin_types_conversation_t *batch = zeroed(*count, sizeof *batch);
  for (size_t i = 0; i < *count; i++) ask(from, &batch[i]);
  return batch;
}
