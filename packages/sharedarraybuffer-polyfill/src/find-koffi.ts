/**
 * Where koffi is installed for this package. NODE_PATH and Node's global folders do not count:
 * those who share memory must all come to the same answer, and the threads and processes that a
 * program starts may not have its environment.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Its directory, to be given to `require`. Throws if there is none. */
export function findKoffi(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const installed = join(at, 'node_modules', 'koffi');
    if (existsSync(installed)) return installed;
    if (dirname(at) === at) throw new Error('koffi is not installed');
  }
}
