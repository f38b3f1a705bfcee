// The questions. Nothing here calls tickrate, so that any compiler can build it for its tests.
#ifndef QUESTIONS_H
#define QUESTIONS_H

#include "tickrate.h"

// A source of questions: these lines, or sums where there is no file.
typedef struct {
  tr_lines lines;
  bool has_file;
  uint64_t turns, given;
  // Random numbers come from tickrate: they follow from the seed of the run.
  uint64_t (*random)(void);
} questions;

// At most so many further conversations. The array comes from malloc; it is NULL if there are no more.
tickrate_plugin_types_conversation_t *questions_next(questions *from, uint32_t at_most, size_t *count);

// A question about a sum.
tr_text questions_sum(uint64_t number, uint64_t (*random)(void));

#endif
