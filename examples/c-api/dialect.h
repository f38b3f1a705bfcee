// What the server speaks: a turn becomes a request, a reply becomes an outcome. protocol.md beside the examples
// says how. Nothing here calls tickrate, so that any compiler can build it for its tests.
#ifndef DIALECT_H
#define DIALECT_H

#include "tickrate.h"

// Takes what it needs of the run's configuration.
bool dialect_open(const tickrate_plugin_types_run_config_t *config, tickrate_plugin_types_plugin_error_t *error);

// The request for one turn.
bool dialect_shape(const tickrate_plugin_types_turn_in_context_t *turn,
                   tickrate_plugin_types_http_request_t *request, tickrate_plugin_types_plugin_error_t *error);

// What a whole reply says. What the server did wrong is a failure in the outcome.
void dialect_parse(const tickrate_plugin_types_reply_t *reply, tickrate_plugin_types_outcome_t *outcome);

#endif
