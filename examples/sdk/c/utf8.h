// UTF-8, one character at a time.
#ifndef TICKRATE_UTF8_H
#define TICKRATE_UTF8_H

#include <stdint.h>

// Reads the character at `p`, which is before `end`: its length in bytes. If it is none, the number of bytes that
// belong together and are none, negative.
static inline int utf8_read(const uint8_t *p, const uint8_t *end, uint32_t *code) {
  uint8_t first = *p;
  if (first < 0x80) {
    *code = first;
    return 1;
  }
  int length = 0;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  if (first >= 0xe0 && first <= 0xef) length = 3;
  if (first >= 0xf0 && first <= 0xf4) length = 4;
  if (length == 0) return -1;
  *code = first & (0x7f >> length);
  for (int i = 1; i < length; i++) {
    // What would be too long, half a surrogate pair or beyond the last character shows in the second byte.
    uint8_t least = i > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = i > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (p + i == end || p[i] < least || p[i] > most) return -i;
    *code = *code << 6 | (p[i] & 0x3f);
  }
  return length;
}

// Writes a character; its length in bytes.
static inline int utf8_write(uint32_t code, uint8_t bytes[4]) {
  int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (int i = length - 1; i > 0; i--, code >>= 6) bytes[i] = 0x80 | (code & 0x3f);
  bytes[0] = length == 1 ? code : (uint8_t)(0xf00 >> length) | code;
  return length;
}

#endif
