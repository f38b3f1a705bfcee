// README.md says how this is compiled and run.

#undef NDEBUG
#include <cassert>
#include <cstdio>

#include "questions.hpp"

static void sums_follow_from_the_random_numbers() {
  std::vector<uint64_t> numbers = {7, 205};
  size_t at = 0;
  assert(sum(3, [&] { return numbers[at++]; }) == "3. What is 7 + 5?");
}

static void there_are_as_many_turns_as_asked_for_and_no_more_questions_than_lines() {
  Questions questions(2, std::vector<std::string>{"Why?", "How?"}, nullptr);
  size_t first;
  assert(questions.next(1, &first).size() == 1 && first == 0);
  auto batch = questions.next(9, &first);
  assert(first == 1 && batch.size() == 1);
  assert((batch[0] == std::vector<std::string>{"How?", "Are you sure?"}));
  assert(questions.next(9, &first).empty());
}

int main() {
  sums_follow_from_the_random_numbers();
  there_are_as_many_turns_as_asked_for_and_no_more_questions_than_lines();
  std::puts("all tests passed");
}
