/**
 * Unpacks xz by liblzma, compiled to WebAssembly: Linux packs its kernels with a filter for x86.
 */
import { unxzAsync } from 'node-liblzma/wasm';

/** The content of an .xz file. Rejects if it is none. */
export async function unxz(packed: Uint8Array): Promise<Uint8Array> {
  return unxzAsync(packed);
}
