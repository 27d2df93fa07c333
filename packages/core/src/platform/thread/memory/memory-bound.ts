/**
 * The bound of a process that runs one component with `heap="…"`: RLIMIT_DATA, the kernel's bound
 * of private writeable memory. It counts V8's heap and everything outside of it: buffers, stacks,
 * what the C library allocates. It is set by the component's thread before the component is loaded,
 * from what the process has then. What a process and a thread take by themselves differs a lot
 * between versions of Node: since 24 V8's room for code counts, half a gigabyte a thread.
 *
 *     bound = what it has now + heap + ram (of the start node) + MARGIN_BYTES
 *
 * RLIMIT_AS would be the wrong limit: V8 reserves address space by the gigabyte without using it.
 * Memory that processes share is not counted: core's accounts bound that. But making an arena for
 * it needs as much of this limit as the arena has bytes, for a moment. The soft limit is therefore
 * the bound, and the hard limit lies an arena above it: whoever makes an arena raises the soft
 * limit and puts it back (`sharedarraybuffer-polyfill` does).
 */
import { readFileSync } from 'node:fs';
import { Kernel } from '../../host/kernel.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/**
 * The memory that a component needs besides the heap in its start node: V8's young generation,
 * compiled code, memory that V8 and Node allocate outside of the heap, and perhaps the helper
 * thread that waits for other processes (64 MiB of it with Node 26).
 */
const MARGIN_BYTES = 160 * MIB;
/**
 * The size of an arena, unless it is made for a single larger dataspace, which is within the quota.
 */
const ARENA_BYTES = 256 * MIB;

/** The private writeable memory of this process in bytes, as the kernel counts it. */
function dataBytes(): number {
  const kib = /^VmData:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (kib === undefined) throw new Error('/proc/self/status does not say VmData');
  return Number(kib) * KIB;
}

/**
 * Bounds this process to `bytes` more than it has now. The result says why that is not possible, in
 * words for people.
 */
export function boundProcess(bytes: number): string | undefined {
  const lack = 'heap= bounds V8 only, not the memory of processes';
  const kernel = Kernel.load();
  if (typeof kernel === 'string') return `${lack}: ${kernel}`;
  try {
    const bound = dataBytes() + bytes + MARGIN_BYTES;
    kernel.setDataLimit(bound, bound + ARENA_BYTES + bytes);
    return undefined;
  } catch (error) {
    return `${lack}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
