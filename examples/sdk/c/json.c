// JSON, read where it stands and written into buffers.

#include <stdlib.h>
#include <string.h>

#include "tickrate.h"
#include "utf8.h"

// As deep as values may be nested.
enum { DEPTH = 127 };

typedef const uint8_t *at;

static at blank(at p, at end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
  return p;
}

static int hex4(at p, at end) {
  int value = 0;
  if (end - p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int c = p[i] | 0x20;
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0 || (digit < 10 && p[i] != c)) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// The functions of this kind return where a value ends, or NULL if it is none. `into` may be NULL.
static at string(at p, at end, tr_buffer *into) {
  if (p == end || *p++ != '"') return NULL;
  while (p < end && *p != '"') {
    uint32_t code;
    if (*p < 0x20) return NULL;
    if (*p != '\\') {
      int length = utf8_read(p, end, &code);
      if (length < 1) return NULL;
      if (into) tr_put_text(into, (tr_text){(uint8_t *)p, length});
      p += length;
      continue;
    }
    if (++p == end) return NULL;
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *escape = memchr(escapes, *p, sizeof escapes - 1);
    if (escape) {
      code = meant[escape - escapes];
      p++;
    } else {
      if (*p != 'u') return NULL;
      int high = hex4(p + 1, end), low;
      if (high < 0 || (high >= 0xdc00 && high < 0xe000)) return NULL;
      p += 5;
      code = high;
      if (high >= 0xd800 && high < 0xdc00) {
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return NULL;
        low = hex4(p + 2, end);
        if (low < 0xdc00 || low >= 0xe000) return NULL;
        p += 6;
        code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
      }
    }
    if (into) {
      uint8_t bytes[4];
      tr_put_text(into, (tr_text){bytes, utf8_write(code, bytes)});
    }
  }
  return p < end ? p + 1 : NULL;
}

static at digits(at p, at end) {
  at first = p;
  while (p < end && *p >= '0' && *p <= '9') p++;
  return p > first ? p : NULL;
}

static at number(at p, at end) {
  if (p < end && *p == '-') p++;
  at first = p;
  if (!(p = digits(p, end)) || (*first == '0' && p > first + 1)) return NULL;
  if (p < end && *p == '.' && !(p = digits(p + 1, end))) return NULL;
  if (p < end && (*p == 'e' || *p == 'E')) {
    if (++p < end && (*p == '+' || *p == '-')) p++;
    p = digits(p, end);
  }
  return p;
}

static at value(at p, at end, int depth);

// One member of an object: its name and where its value begins and ends.
static at member(at p, at end, int depth, at *name, at *begins) {
  *name = blank(p, end);
  if (!(p = string(*name, end, NULL))) return NULL;
  p = blank(p, end);
  if (p == end || *p != ':') return NULL;
  *begins = blank(p + 1, end);
  return value(*begins, end, depth);
}

static at composed(at p, at end, int depth) {
  uint8_t closing = *p == '{' ? '}' : ']';
  at name, begins;
  if (depth == 0) return NULL;
  p = blank(p + 1, end);
  if (p < end && *p == closing) return p + 1;
  for (;;) {
    p = closing == '}' ? member(p, end, depth - 1, &name, &begins) : value(blank(p, end), end, depth - 1);
    if (!p) return NULL;
    p = blank(p, end);
    if (p == end) return NULL;
    if (*p == closing) return p + 1;
    if (*p++ != ',') return NULL;
  }
}

static at word(at p, at end, const char *word) {
  size_t length = strlen(word);
  return (size_t)(end - p) >= length && memcmp(p, word, length) == 0 ? p + length : NULL;
}

static at value(at p, at end, int depth) {
  if (p == end) return NULL;
  switch (*p) {
    case '{':
    case '[':
      return composed(p, end, depth);
    case '"':
      return string(p, end, NULL);
    case 't':
      return word(p, end, "true");
    case 'f':
      return word(p, end, "false");
    case 'n':
      return word(p, end, "null");
    default:
      return number(p, end);
  }
}

bool tr_is_object(tr_text data) {
  at end = data.ptr + data.len, p = blank(data.ptr, end);
  return p < end && *p == '{' && (p = value(p, end, DEPTH)) && blank(p, end) == end;
}

tr_text tr_member(tr_text object, const char *wanted) {
  at end = object.ptr + object.len, p = blank(object.ptr, end), name, begins;
  tr_text found = {0};
  tr_buffer read = {0};
  p = blank(p + 1, end);
  while (p < end && *p != '}') {
    p = member(p, end, DEPTH, &name, &begins);
    read.len = 0;
    string(name, end, &read);
    // The last of two members with the same name counts.
    if (tr_is((tr_text){read.ptr, read.len}, wanted)) found = (tr_text){(uint8_t *)begins, p - begins};
    p = blank(p, end);
    if (*p == ',') p++;
  }
  free(read.ptr);
  return found;
}

bool tr_string(tr_text value, tr_buffer *into) {
  return value.len > 0 && *value.ptr == '"' && string(value.ptr, value.ptr + value.len, into);
}

tickrate_plugin_option_u64_t tr_count(tr_text value) {
  tickrate_plugin_option_u64_t count = {.is_some = value.len > 0};
  for (size_t i = 0; i < value.len && count.is_some; i++) {
    uint8_t digit = value.ptr[i] - '0';
    count.is_some = digit <= 9 && count.val <= (UINT64_MAX - digit) / 10;
    count.val = count.val * 10 + digit;
  }
  return count;
}

void tr_put_json(tr_buffer *buffer, tr_text text) {
  static const char short_ones[] = "\b\f\n\r\t", letters[] = "bfnrt";
  tr_put(buffer, "\"");
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    const char *found = memchr(short_ones, c, sizeof short_ones - 1);
    if (c == '"' || c == '\\') tr_put(buffer, "\\");
    if (c >= 0x20) {
      tr_put_text(buffer, (tr_text){&c, 1});
    } else if (found) {
      char escape[] = {'\\', letters[found - short_ones], 0};
      tr_put(buffer, escape);
    } else {
      char escape[] = {'\\', 'u', '0', '0', '0' + (c >> 4), "0123456789abcdef"[c & 15], 0};
      tr_put(buffer, escape);
    }
  }
  tr_put(buffer, "\"");
}
