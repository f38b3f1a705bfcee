// A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file. These are the
// functions that tickrate calls; questions.c makes the questions. What they are given belongs to them, so that
// they free it.

#include "questions.h"

static questions source;

void exports_tickrate_plugin_info_name(tr_text *name) { *name = tr_copy(tr_borrow("c-dataset")); }

void exports_tickrate_plugin_info_version(tr_text *version) { *version = tr_copy(tr_borrow("0.1.0")); }

// What --dataset-args may hold, as a JSON Schema. tickrate checks the options before it calls open.
void exports_tickrate_plugin_info_options_schema(exports_tickrate_plugin_info_role_t role, tr_text *schema) {
  (void)role;
  *schema = tr_copy(tr_borrow(
      "{\"type\": \"object\", \"properties\": {\"turns\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 8, "
      "\"description\": \"turns of each conversation\"}}, \"additionalProperties\": false}"));
}

// Called once, before anything else. To begin again, tickrate makes a new instance.
bool exports_tickrate_plugin_dataset_open(exports_tickrate_plugin_dataset_run_config_t *config,
                                          exports_tickrate_plugin_dataset_plugin_error_t *error) {
  bool good = tr_is_object(config->options);
  if (good) {
    tickrate_plugin_option_u64_t turns = tr_count(tr_member(config->options, "turns"));
    source.turns = turns.is_some ? turns.val : 1;
    source.has_file = config->dataset_path.is_some;
    source.random = tickrate_plugin_host_random;
    good = !source.has_file || tr_lines_of_files(&source.lines, error);
  } else {
    tr_refuse(error, TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_INVALID_CONFIG, "the options have to be a JSON object");
  }
  exports_tickrate_plugin_dataset_run_config_free(config);
  return good;
}

// At most so many further conversations; none means that there are no more.
bool exports_tickrate_plugin_dataset_next(uint32_t at_most,
                                          exports_tickrate_plugin_dataset_list_conversation_t *batch,
                                          exports_tickrate_plugin_dataset_plugin_error_t *error) {
  (void)error;
  batch->ptr = questions_next(&source, at_most, &batch->len);
  return true;
}
