/** How a file is, as far as that can be seen without reading it. */
import { statSync } from 'node:fs';

/** The state of a file that is not there. */
export const MISSING = 'missing';

/** A file as one look has found it. */
export interface FileLook {
  /** A text that is different when the file has changed, or another one is in its place. */
  readonly state: string;
  /** The time at which it was written last; `undefined` if it is not there. */
  readonly writtenMs: number | undefined;
}

/** Looks at a file. */
export function lookAtFile(file: string): FileLook {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs } = statSync(file, { bigint: true });
    return { state: `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`, writtenMs: Number(mtimeMs) };
  } catch {
    return { state: MISSING, writtenMs: undefined };
  }
}

/** The state of a file now. */
export function fileState(file: string): string {
  return lookAtFile(file).state;
}
