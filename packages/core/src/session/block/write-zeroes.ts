import type { Accepted } from './block-backend.ts';
import type { BlockInfo } from './declaration.ts';

const PIECE_BYTES = 256 * 1024;

/** The zeros of all devices of the thread, which only read them. Made when it is needed. */
let zeros: Uint8Array | undefined;

/**
 * Carries out WRITE_ZEROES for a device that has nothing better, by writing zeros piece by piece.
 * Where it fails, the pieces before are written.
 */
export async function writeZeroesByWriting(
  device: {
    readonly info: BlockInfo;
    write(block: number, count: number, from: Uint8Array): Accepted;
  },
  block: number,
  count: number,
): Promise<void> {
  const { blockSize } = device.info;
  zeros ??= new Uint8Array(PIECE_BYTES);
  const blocksMax = PIECE_BYTES / blockSize;
  for (let done = 0; done < count; ) {
    const blocks = Math.min(blocksMax, count - done);
    await device.write(block + done, blocks, zeros.subarray(0, blocks * blockSize));
    done += blocks;
  }
}
