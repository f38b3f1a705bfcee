// What the server speaks: a turn becomes a request, a reply becomes an outcome. protocol.md beside the examples
// says how. Nothing here calls tickrate, so that any compiler can build it for its tests.
#ifndef DIALECT_HPP
#define DIALECT_HPP

#include "tickrate.hpp"

class Dialect {
 public:
  // Takes what it needs of the run's configuration.
  bool open(const tickrate::Config &config, tickrate::Error *error);

  // The request for one turn. Nothing may be kept from one call to the next.
  bool shape(const tickrate::Turn &turn, tickrate::Request *request, tickrate::Error *error) const;

  // What a whole reply says. What the server did wrong is a failure in the outcome.
  static tr_outcome parse(const tickrate::Reply &reply);

 private:
  std::string model_, url_, settings_;
  std::optional<std::string> system_;
  bool stream_ = false;
};

#endif
