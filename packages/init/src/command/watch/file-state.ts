/** How a file is, as far as that can be seen without reading it. */
import { statSync } from 'node:fs';

/** The state of a file that is not there. */
export const MISSING = 'missing';

/** A text that is different when the file has changed, or another one is in its place. */
export function fileState(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return MISSING;
  }
}
