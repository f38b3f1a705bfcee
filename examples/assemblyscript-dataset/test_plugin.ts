// Each function that is exported is a test.

import { next, open } from './plugin';
import { RunConfig, linesOf } from './tickrate/tickrate';

export function there_are_as_many_turns_as_asked_for(): void {
  const config = new RunConfig();
  config.options = '{"turns":2}';
  assert(open(config));
  assert(next(1)!.length == 1);
  const batch = next(9)!;
  assert(batch.length == 9 && batch[0].id! == 'question-1' && batch[0].turns.length == 2);
  assert(batch[8].turns[0].prompt.chat[0].content[0].text == '9. What is 7 + 7?');
  assert(batch[8].turns[1].prompt.chat[0].content[0].text == 'Are you sure?');
}

export function lines_are_what_says_something(): void {
  const bytes: StaticArray<u8> = [0x41, 10, 10, 0x20, 0xc2, 0xa0, 0x42, 0x20, 13, 10, 0xff, 10, 0xe2, 0x82, 10, 0x43];
  const read = linesOf(changetype<usize>(bytes), bytes.length);
  assert(read.join('|') == 'A|B|\ufffd|\ufffd|C');
}
