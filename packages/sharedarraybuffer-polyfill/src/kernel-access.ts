/**
 * The kernel's calls, loaded once a thread; where they can be reached at all, whether or not memory
 * can be shared.
 */
import { Kernel } from './kernel.ts';
import { beginLoad, endLoad, loadGuard } from './load-guard.ts';

const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';

let loaded: Kernel | string | undefined;

/** The kernel's calls, or why they cannot be reached, in words for people. */
export function loadKernel(): Kernel | string {
  loaded ??= process.env[SWITCH] === 'off' ? `switched off by ${SWITCH}=off` : loadGuarded();
  return loaded;
}

function loadGuarded(): Kernel | string {
  const guard = loadGuard();
  beginLoad(guard);
  try {
    return Kernel.load();
  } finally {
    endLoad(guard);
  }
}

/** The kernel's calls where they can be reached. */
export function kernelIfThere(): Kernel | undefined {
  const kernel = loadKernel();
  return typeof kernel === 'string' ? undefined : kernel;
}
