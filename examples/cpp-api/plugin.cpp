// A server's dialect as a tickrate plugin: the functions that tickrate calls. dialect.cpp does their work.
// What they are given belongs to them, so that they free it.

#include "dialect.hpp"

static Dialect dialect;

void exports_tickrate_plugin_info_name(tr_text *name) { *name = tr_copy(tr_borrow("cpp-api")); }

void exports_tickrate_plugin_info_version(tr_text *version) { *version = tr_copy(tr_borrow("0.1.0")); }

// What --api-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
void exports_tickrate_plugin_info_options_schema(exports_tickrate_plugin_info_role_t role, tr_text *schema) {
  (void)role;
  *schema = tr_copy(tr_borrow(
      "{\"type\": \"object\", \"properties\": {"
      "\"system\": {\"type\": \"string\", \"description\": \"a system message before every chat\"}"
      "}, \"additionalProperties\": false}"));
}

// Called once for each instance, before anything else.
bool exports_tickrate_plugin_api_open(exports_tickrate_plugin_api_run_config_t *config,
                                      exports_tickrate_plugin_api_plugin_error_t *error) {
  bool good = dialect.open(*config, error);
  exports_tickrate_plugin_api_run_config_free(config);
  return good;
}

// Nothing may be kept from one call of this or the next to another.
bool exports_tickrate_plugin_api_shape(exports_tickrate_plugin_api_turn_in_context_t *turn,
                                       exports_tickrate_plugin_api_http_request_t *request,
                                       exports_tickrate_plugin_api_plugin_error_t *error) {
  bool good = dialect.shape(*turn, request, error);
  exports_tickrate_plugin_api_turn_in_context_free(turn);
  return good;
}

bool exports_tickrate_plugin_api_parse(exports_tickrate_plugin_api_reply_t *reply,
                                       exports_tickrate_plugin_api_outcome_t *outcome,
                                       exports_tickrate_plugin_api_plugin_error_t *error) {
  (void)error;
  tr_outcome parsed = Dialect::parse(*reply);
  tr_outcome_into(&parsed, outcome);
  exports_tickrate_plugin_api_reply_free(reply);
  return true;
}
