// What tickrate offers to a plugin: wit/host.wit says more of each. What fails throws.

declare module 'tickrate:plugin/host@0.1.0' {
  type File = { name: string; bytes: bigint };

  /** Writes one line to the run's log. */
  export function log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /** How many tokens `text` has, where the run has a tokenizer. */
  export function count(text: string): number;
  export function encode(text: string): Uint32Array;
  export function decode(tokens: Uint32Array): string;
  /** The next of a series of random numbers that depends on the run's seed alone. */
  export function random(): bigint;
  /** The files given with `--dataset-path`, sorted by name. */
  export function files(): File[];
  /** At most `length` bytes of a file; fewer at its end, none behind it. */
  export function read(name: string, offset: bigint, length: number): Uint8Array;
}
