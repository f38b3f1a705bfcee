// The questions. Nothing here calls tickrate, so that any compiler can build it for its tests.
#ifndef QUESTIONS_HPP
#define QUESTIONS_HPP

#include <functional>

#include "tickrate.hpp"

// Gives whole numbers from 0 to 2^64 - 1. They come from tickrate: they follow from the seed of the run.
using Random = std::function<uint64_t()>;

// A source of questions: these lines, or sums where there are none.
class Questions {
 public:
  Questions(size_t turns, std::optional<std::vector<std::string>> lines, Random random)
      : turns_(turns), lines_(std::move(lines)), random_(std::move(random)) {}

  // At most so many further conversations, each of them the texts of its turns; `first` is the first one's number.
  std::vector<std::vector<std::string>> next(size_t at_most, size_t *first);

 private:
  size_t turns_, given_ = 0;
  std::optional<std::vector<std::string>> lines_;
  Random random_;
};

// A question about a sum.
std::string sum(size_t number, const Random &random);

#endif
