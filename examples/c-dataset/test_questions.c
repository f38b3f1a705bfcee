// cc -Itickrate -o test_questions test_questions.c questions.c tickrate/tickrate.c tickrate/json.c && ./test_questions

#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "questions.h"

static uint64_t numbers[] = {7, 205}, *next_number = numbers;

static uint64_t a_number(void) { return *next_number++; }

static void lines_are_questions(void) {
  tr_lines lines = {0};
  tr_lines_of(tr_borrow("Why?\n\n \xc2\xa0 How? \r\n\xff\n\xe2\x82\nlast"), &lines);
  const char *wanted[] = {"Why?", "How?", "\xef\xbf\xbd", "\xef\xbf\xbd", "last"};
  assert(lines.len == 5);
  for (size_t i = 0; i < 5; i++) assert(tr_is(lines.ptr[i], wanted[i]));
}

static void sums_follow_from_the_random_numbers(void) {
  assert(tr_is(questions_sum(3, a_number), "3. What is 7 + 5?"));
}

static void there_are_as_many_turns_as_asked_for_and_no_more_questions_than_lines(void) {
  tr_text lines[] = {tr_borrow("Why?"), tr_borrow("How?")};
  questions source = {.lines = {lines, 2}, .has_file = true, .turns = 2};
  size_t count;
  assert(questions_next(&source, 1, &count) && count == 1);
  tickrate_plugin_types_conversation_t *batch = questions_next(&source, 9, &count);
  assert(count == 1 && tr_is(batch->id.val, "question-1") && batch->turns.len == 2);
  assert(tr_is(batch->turns.ptr[1].prompt.val.chat.ptr->content.ptr->val.text, "Are you sure?"));
  assert(!questions_next(&source, 9, &count) && count == 0);
}

int main(void) {
  lines_are_questions();
  sums_follow_from_the_random_numbers();
  there_are_as_many_turns_as_asked_for_and_no_more_questions_than_lines();
  puts("all tests passed");
}
