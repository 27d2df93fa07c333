/** Gives the zeros of a raw image back to the host: its file keeps its size and gets holes. */
import { isZero } from '../../lib/is-zero.ts';
import { type ByteDevice, zeroRange } from '../byte-device.ts';

const PIECE_BYTES = 1024 * 1024;
/** Holes are made of such pieces: smaller ones save little, and cost the host an extent each. */
const HOLE_BYTES = 64 * 1024;

/** Compacts an image that nobody else uses. The result is how many bytes of it are holes now. */
export async function compactRaw(
  device: ByteDevice,
  progress: (share: number) => void = () => {},
): Promise<number> {
  const bytes = new Uint8Array(PIECE_BYTES);
  let zeroBytes = 0;
  for (let at = 0; at < device.sizeBytes; at += PIECE_BYTES) {
    const piece = bytes.subarray(0, Math.min(PIECE_BYTES, device.sizeBytes - at));
    await device.read(piece, at);
    for (const { from, length } of zeroRuns(piece)) {
      await device.discard(at + from, length);
      // What a discard leaves is not promised to be zero.
      await device.read(piece.subarray(from, from + length), at + from);
      if (!isZero(piece.subarray(from, from + length))) await zeroRange(device, at + from, length);
      zeroBytes += length;
    }
    progress((at + piece.byteLength) / device.sizeBytes);
  }
  await device.sync();
  return zeroBytes;
}

function zeroRuns(piece: Uint8Array): { readonly from: number; readonly length: number }[] {
  const runs: { from: number; length: number }[] = [];
  for (let from = 0; from < piece.byteLength; from += HOLE_BYTES) {
    const part = piece.subarray(from, from + HOLE_BYTES);
    if (!isZero(part)) continue;
    const last = runs.at(-1);
    if (last && last.from + last.length === from) last.length += part.byteLength;
    else runs.push({ from, length: part.byteLength });
  }
  return runs;
}
