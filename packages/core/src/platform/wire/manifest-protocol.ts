/** The messages between ginit, the process that reads manifests, and its threads. */
import { oneOf, optional, record, type ShapeType, text as textShape, u32 } from '../../interface/shapes.ts';
import { jailRules } from '../jail/rules.ts';

/**
 * A manifest as text, or why there is none. It has to be checked, because a component's code may
 * have written it.
 */
export type ManifestText = { readonly text: string } | { readonly problem: string };

/** The longest text of a manifest in characters. Its schema is by far the largest part. */
export const MANIFEST_LENGTH_MAX = 1024 * 1024;
/** How long a module may take to load. */
export const LOAD_TIMEOUT_MS = 20_000;
/** The bound of the heap in which a module is loaded. */
export const LOAD_HEAP_MB = 512;

const PROBLEM_LENGTH_MAX = 1000;
const URL_BYTES = 8192;
/** The most bytes that a character of text takes. */
const BYTES_PER_CHARACTER = 3;

/** Tells the process to lock itself up, for good. */
const confineCommand = record({ command: oneOf(['confine']), rules: jailRules });
/** Tells the process to read the manifest of a module. */
const readCommand = record({ command: oneOf(['read']), id: u32, moduleUrl: textShape(URL_BYTES) });
export type ReadCommand = ShapeType<typeof readCommand>;

/** Checks a command to the process. */
export const readerCommand = { confine: confineCommand, read: readCommand } as const;
export type ReaderCommand = ShapeType<typeof confineCommand> | ReadCommand;

/** The process has locked itself up, or could not, for the reason `problem`. */
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

/** Takes a manifest's text, or a reason, out of a message of a component's thread or process. */
export function manifestTextOf(value: object): ManifestText | undefined {
  const text: unknown = Reflect.get(value, 'text');
  if (typeof text === 'string' && text.length <= MANIFEST_LENGTH_MAX) return { text };
  const problem: unknown = Reflect.get(value, 'problem');
  return typeof problem === 'string' ? { problem: problem.slice(0, PROBLEM_LENGTH_MAX) } : undefined;
}
