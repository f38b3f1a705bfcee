// A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file. These are the
// functions that tickrate calls; questions.cpp makes the questions. What they are given belongs to them, so that
// they free it.

#include "questions.hpp"

static std::optional<Questions> questions;

void exports_tickrate_plugin_info_name(tr_text *name) { *name = tr_copy(tr_borrow("cpp-dataset")); }

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
  auto options = tickrate::Object::in(config->options);
  std::optional<std::vector<std::string>> given;
  bool good = options.has_value();
  if (!good) {
    tr_refuse(error, TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_INVALID_CONFIG, "the options have to be a JSON object");
  } else if (config->dataset_path.is_some) {
    tr_lines lines = {};
    good = tr_lines_of_files(&lines, error);
    given.emplace();
    for (size_t i = 0; i < lines.len; i++) given->emplace_back(tickrate::view(lines.ptr[i]));
  }
  if (good) questions.emplace(options->count("turns").value_or(1), std::move(given), tickrate_plugin_host_random);
  exports_tickrate_plugin_dataset_run_config_free(config);
  return good;
}

// At most so many further conversations; none means that there are no more.
bool exports_tickrate_plugin_dataset_next(uint32_t at_most,
                                          exports_tickrate_plugin_dataset_list_conversation_t *batch,
                                          exports_tickrate_plugin_dataset_plugin_error_t *error) {
  (void)error;
  size_t first;
  auto next = questions->next(at_most, &first);
  batch->len = next.size();
  batch->ptr = static_cast<tickrate::Conversation *>(std::calloc(next.size(), sizeof *batch->ptr));
  for (size_t i = 0; i < next.size(); i++) {
    tickrate::Conversation &conversation = batch->ptr[i];
    conversation.id = {true, tickrate::copy("question-" + std::to_string(first + i))};
    conversation.turns.len = next[i].size();
    conversation.turns.ptr = static_cast<tickrate_plugin_types_turn_t *>(
        std::calloc(next[i].size(), sizeof *conversation.turns.ptr));
    for (size_t t = 0; t < next[i].size(); t++) conversation.turns.ptr[t] = tr_ask(tickrate::copy(next[i][t]));
  }
  return true;
}
