// The files of a dataset, as lines.

#include <stdlib.h>

#include "tickrate.h"

// Bytes that are read of a file at a time.
enum { PIECE = 1 << 20 };

// Fails with what the host said.
static bool unread(tickrate_plugin_types_plugin_error_t *error, tr_text reason) {
  error->tag = TICKRATE_PLUGIN_TYPES_PLUGIN_ERROR_INVALID_DATA;
  error->val.invalid_data = reason;
  return false;
}

bool tr_lines_of_files(tr_lines *lines, tickrate_plugin_types_plugin_error_t *error) {
  tickrate_plugin_host_list_file_t files;
  tr_text reason;
  bool good = tickrate_plugin_host_files(&files, &reason);
  if (!good) return unread(error, reason);
  for (size_t i = 0; i < files.len && good; i++) {
    tr_buffer data = {0};
    while (good && data.len < files.ptr[i].bytes) {
      tickrate_plugin_list_u8_t piece;
      good = tickrate_plugin_host_read(&files.ptr[i].name, data.len, PIECE, &piece, &reason);
      if (!good) {
        unread(error, reason);
      } else if (piece.len == 0) {
        break;
      } else {
        tr_put_text(&data, (tr_text){piece.ptr, piece.len});
        free(piece.ptr);
      }
    }
    if (good) tr_lines_of((tr_text){data.ptr, data.len}, lines);
    free(data.ptr);
  }
  tickrate_plugin_host_list_file_free(&files);
  return good;
}
