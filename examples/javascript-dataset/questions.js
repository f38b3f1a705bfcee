// The questions. Nothing here knows of tickrate, so that plain node can test it.

/** The lines of a file that say something; bytes that are no UTF-8 are replaced. */
export function lines(data) {
  const all = new TextDecoder().decode(data).split(/\r?\n/);
  return all.map((line) => line.trim()).filter((line) => line !== '');
}

/** A question about a sum. `random` gives whole numbers from 0 to 2n ** 64n - 1n. */
export function sum(number, random) {
  return `${number}. What is ${random() % 100n} + ${random() % 100n}?`;
}

/** The texts of a conversation: the question, and then as often as asked for, whether it is so. */
export function turns(question, count) {
  return [question, ...Array(count - 1).fill('Are you sure?')];
}
