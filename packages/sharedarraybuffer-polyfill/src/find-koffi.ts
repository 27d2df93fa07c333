/**
 * koffi as it is installed for this package. NODE_PATH and Node's global folders do not count:
 * those who share memory must all come to the same answer, and the threads and processes that a
 * program starts may not have its environment.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** The key under which workers find the path of koffi that an earlier thread has loaded. */
const KOFFI_FILE_KEY = 'sharedarraybuffer-polyfill: koffi';

/** Its directory, to be given to `require`. Throws if there is none. */
export function findKoffi(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const installed = join(at, 'node_modules', 'koffi');
    if (existsSync(installed)) return installed;
    if (dirname(at) === at) throw new Error('koffi is not installed');
  }
}

/**
 * Loads koffi. Throws if it is not there or cannot be loaded. Each thread loads its own. Finding
 * its native part takes several times as long as loading that, which has all that we use: so who
 * has found it tells the workers that it starts from then on. `Koffi` is the part of it that the
 * caller uses.
 */
export function loadKoffi<Koffi>(): Koffi {
  const require = createRequire(import.meta.url);
  const known = getEnvironmentData(KOFFI_FILE_KEY);
  if (typeof known === 'string') {
    const native: Koffi = require(known);
    return native;
  }
  const koffi: Koffi = require(findKoffi());
  const file = Object.keys(require.cache).find((name) => name.endsWith('koffi.node'));
  if (file !== undefined) setEnvironmentData(KOFFI_FILE_KEY, file);
  return koffi;
}
