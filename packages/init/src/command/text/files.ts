/**
 * The texts that `ginit convert` and `ginit format` read and write: files, or the standard streams
 * as `-`.
 */
import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { systemReason } from '../system-reason.ts';

/** The name of the standard streams on the command line. */
export const STANDARD_STREAM = '-';

const STDIN = 0;

/** The content of a file, and its name for messages; or the reason why there is none. */
export type SourceText = { readonly name: string; readonly bytes: Uint8Array } | { readonly problem: string };

/** Reads a file, or standard input. */
export function readSource(path: string): SourceText {
  const isStandard = path === STANDARD_STREAM;
  try {
    return { name: isStandard ? '(standard input)' : path, bytes: readFileSync(isStandard ? STDIN : path) };
  } catch (error) {
    return { problem: `cannot read ${path}: ${systemReason(error)}` };
  }
}

/**
 * Writes a file as a whole: it is written beside its place and put there when it is complete, with
 * the mode of the file that was there. The result is the reason why that failed; `undefined` if it
 * did not.
 */
export function writeFile(path: string, text: string): string | undefined {
  const old = statSync(path, { throwIfNoEntry: false });
  try {
    // A pipe or a device is written to; a link goes on leading to its file.
    if (old !== undefined && !old.isFile()) {
      writeFileSync(path, text);
      return undefined;
    }
    const target = old === undefined ? path : realpathSync(path);
    const fresh = `${target}.ginit-${process.pid}`;
    try {
      writeFileSync(fresh, text, { flag: 'wx', ...(old === undefined ? {} : { mode: old.mode }) });
      renameSync(fresh, target);
    } catch (error) {
      rmSync(fresh, { force: true });
      throw error;
    }
    return undefined;
  } catch (error) {
    return `cannot write ${path}: ${systemReason(error)}`;
  }
}
