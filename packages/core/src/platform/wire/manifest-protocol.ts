/** What ginit, the process that reads manifests and its threads say to each other. */
import { oneOf, optional, record, type ShapeType, text as textShape, u32 } from '../../interface/shapes.ts';
import { jailRules } from '../jail/rules.ts';

/** A manifest as text, or why there is none. Whoever takes one looks at it: a component's code may have a hand in it. */
export type ManifestText = { readonly text: string } | { readonly problem: string };

/** A manifest's text has at most so many characters: its schema is by far the largest part. */
export const MANIFEST_LENGTH_MAX = 1024 * 1024;
/** How long a module may take to load. */
export const LOAD_TIMEOUT_MS = 20_000;
/** Bound of the heap in which a module is loaded. */
export const LOAD_HEAP_MB = 512;

const PROBLEM_LENGTH_MAX = 1000;
const URL_BYTES = 8192;
/** A character of text takes at most so many bytes. */
const BYTES_PER_CHARACTER = 3;

/** The process locks itself up, for good. */
const confineCommand = record({ command: oneOf(['confine']), rules: jailRules });
/** It reads the manifest of a module. */
const readCommand = record({ command: oneOf(['read']), id: u32, moduleUrl: textShape(URL_BYTES) });
export type ReadCommand = ShapeType<typeof readCommand>;

/** Checks a command to the process. */
export const readerCommand = { confine: confineCommand, read: readCommand } as const;
export type ReaderCommand = ShapeType<typeof confineCommand> | ReadCommand;

/** The process has locked itself up, or could not, for this reason. */
const confinedEvent = record({
  event: oneOf(['confined']),
  problem: optional(textShape(PROBLEM_LENGTH_MAX * BYTES_PER_CHARACTER)),
});
/** A manifest, or why there is none. */
const answerEvent = record({
  event: oneOf(['answer']),
  id: u32,
  text: optional(textShape(MANIFEST_LENGTH_MAX * BYTES_PER_CHARACTER)),
  problem: optional(textShape(PROBLEM_LENGTH_MAX * BYTES_PER_CHARACTER)),
});

/** Checks an event of the process. */
export const readerEvent = { confined: confinedEvent, answer: answerEvent } as const;
export type ReaderEvent = ShapeType<typeof confinedEvent> | ShapeType<typeof answerEvent>;

/** Takes a manifest's text, or a reason, out of what a component's thread or process has sent. */
export function manifestTextOf(value: object): ManifestText | undefined {
  const text: unknown = Reflect.get(value, 'text');
  if (typeof text === 'string' && text.length <= MANIFEST_LENGTH_MAX) return { text };
  const problem: unknown = Reflect.get(value, 'problem');
  return typeof problem === 'string' ? { problem: problem.slice(0, PROBLEM_LENGTH_MAX) } : undefined;
}
