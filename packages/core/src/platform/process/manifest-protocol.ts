/** What ginit, the process that reads manifests and its threads say to each other. */

/** A manifest as text, or why there is none. Whoever takes one looks at it: a component's code may have a hand in it. */
export type ManifestText = { readonly text: string } | { readonly problem: string };

/** Asks the process to read the manifest of a module. */
export interface ManifestRequest {
  readonly id: number;
  readonly moduleUrl: string;
}

/** The process's answer. */
export type ManifestReply = { readonly id: number } & ManifestText;

/** A manifest's text has at most so many characters: its schema is by far the largest part. */
export const MANIFEST_LENGTH_MAX = 1024 * 1024;
/** How long a module may take to load. */
export const LOAD_TIMEOUT_MS = 20_000;
/** Bound of the heap in which a module is loaded. */
export const LOAD_HEAP_MB = 512;

/** Takes a manifest's text, or a reason, out of what a component's thread or process has sent. */
export function manifestTextOf(value: object): ManifestText | undefined {
  const text: unknown = Reflect.get(value, 'text');
  if (typeof text === 'string' && text.length <= MANIFEST_LENGTH_MAX) return { text };
  const problem: unknown = Reflect.get(value, 'problem');
  return typeof problem === 'string' ? { problem: problem.slice(0, 1000) } : undefined;
}
