// See questions.hpp.

#include "questions.hpp"

#include <algorithm>

std::vector<std::vector<std::string>> Questions::next(size_t at_most, size_t *first) {
  *first = given_;
  size_t last = lines_ ? std::min(given_ + at_most, lines_->size()) : given_ + at_most;
  std::vector<std::vector<std::string>> batch;
  for (; given_ < last; given_++) {
    std::vector<std::string> turns(turns_, "Are you sure?");
    turns[0] = lines_ ? (*lines_)[given_] : sum(given_, random_);
    batch.push_back(std::move(turns));
  }
  return batch;
}

std::string sum(size_t number, const Random &random) {
  auto a = random() % 100, b = random() % 100;
  return std::to_string(number) + ". What is " + std::to_string(a) + " + " + std::to_string(b) + "?";
}
