/**
 * Whether memory can be shared with other processes here. Found out once a thread, at first use, by
 * trying: what the arenas rely on is documented nowhere, so it is tested where it runs.
 */
import { Arena } from './arena.ts';
import { SharedMemoryError } from './errors.ts';
import { FUTEX_OPERATION } from './futex-operation.ts';
import type { Kernel } from './kernel.ts';
import { loadKernel } from './kernel-access.ts';
import { createMemory } from './memory-file.ts';

/** Whether memory can be shared between processes, and if not why, in words for people. */
export type Support = { readonly shared: true } | { readonly shared: false; readonly reason: string };

const TEST_ARENA_BYTES = 256 * 1024;
const TEST_MEMORY_BYTES = 65_536;
const TEST_WORD = 0x1234abcd;

type Found = { readonly kernel: Kernel } | { readonly reason: string };
let found: Found | undefined;

/**
 * Says whether memory can be shared with other processes. The first call of a thread tries it out
 * (about a millisecond). `SHAREDARRAYBUFFER_POLYFILL=off` in the environment makes it say no.
 */
export function support(): Support {
  found ??= find();
  return 'kernel' in found ? { shared: true } : { shared: false, reason: found.reason };
}

/** The kernel's calls. Throws `NotSupported` with the reason if memory cannot be shared. */
export function kernelOrThrow(): Kernel {
  const kernel = kernelIfShared();
  if (kernel !== undefined) return kernel;
  const { reason } = found as { reason: string };
  throw new SharedMemoryError('NotSupported', `memory cannot be shared between processes: ${reason}`);
}

/** The kernel's calls, or undefined if memory cannot be shared. */
export function kernelIfShared(): Kernel | undefined {
  found ??= find();
  return 'kernel' in found ? found.kernel : undefined;
}

function find(): Found {
  const kernel = loadKernel();
  if (typeof kernel === 'string') return { reason: kernel };
  try {
    selfTest(kernel);
    return { kernel };
  } catch (error) {
    return { reason: `the self-test failed: ${error instanceof Error ? error.message : error}` };
  }
}

/**
 * Maps one memory file twice, writes through one mapping, reads through the other, and looks what
 * is left after.
 */
function selfTest(kernel: Kernel): void {
  const arena = new Arena(kernel, TEST_ARENA_BYTES);
  const fd = createMemory(kernel, TEST_MEMORY_BYTES, 'self-test');
  try {
    const first = arena.map(fd, TEST_MEMORY_BYTES);
    const second = arena.map(fd, TEST_MEMORY_BYTES, { readOnly: true });
    const [written, read] = [first.words(), second.words()];
    written[0] = TEST_WORD;
    check(read[0] === TEST_WORD, 'what is written through one mapping is not seen through the other');
    const address = kernel.addressOf(read);
    check(kernel.futex(address, FUTEX_OPERATION.wake, 1, null) === 0, 'a futex wake without waiters fails');
    arena.unmapAll();
    check(written[0] === 0 && read[0] === 0, 'memory is still there after it was unmapped');
  } finally {
    arena.unmapAll();
    kernel.close(fd);
  }
}

function check(condition: boolean, complaint: string): void {
  if (!condition) throw new Error(complaint);
}
