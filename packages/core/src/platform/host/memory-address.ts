/** Addresses of memory, for the kernel, through koffi. */
import { loadKoffi } from 'sharedarraybuffer-polyfill';

type AddressOf = (view: Uint8Array) => bigint;

/** koffi's function of that name: `null` if koffi is not there. */
let find: AddressOf | null | undefined;
const known = new WeakMap<SharedArrayBuffer, number>();

/**
 * The address of the first byte of `memory`. Undefined if it is not shared memory, which alone can
 * neither move nor be detached, or if nobody can tell.
 */
export function addressOf(memory: Uint8Array): number | undefined {
  const { buffer, byteOffset } = memory;
  if (!(buffer instanceof SharedArrayBuffer)) return undefined;
  let start = known.get(buffer);
  if (start === undefined) {
    if (find === undefined) find = loadFind();
    if (find === null) return undefined;
    start = Number(find(new Uint8Array(buffer)));
    known.set(buffer, start);
  }
  return start + byteOffset;
}

function loadFind(): AddressOf | null {
  try {
    const koffi = loadKoffi<{ address: AddressOf }>();
    return (view) => koffi.address(view);
  } catch {
    return null;
  }
}
