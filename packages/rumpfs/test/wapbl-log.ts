/**
 * Builds logs of WAPBL as bytes, from the description of the format, with nothing of the driver.
 */
const TYPE = {
  header: 0x5741_424c,
  inodes: 0x5741_424d,
  revocations: 0x5741_424e,
  blocks: 0x5741_424f,
} as const;
export const LOG_BLOCK_BYTES = 512;

/** Bytes that a log has for a place of the device. */
export interface LoggedPiece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export type LogRecord =
  | { readonly kind: 'blocks'; readonly pieces: readonly LoggedPiece[] }
  | {
      readonly kind: 'revocations';
      readonly pieces: readonly { readonly at: number; readonly length: number }[];
    }
  | { readonly kind: 'inodes'; readonly clear: boolean; readonly inodes: readonly number[] };

/** A log of that length with records whose first begins `tail` bytes into the ring. */
export function logWith(
  lengthBytes: number,
  records: readonly LogRecord[],
  tail: number,
  little = true,
): Uint8Array {
  const log = new Uint8Array(lengthBytes);
  const ringAt = 2 * LOG_BLOCK_BYTES;
  const ringBytes = lengthBytes - ringAt;
  let head = tail;
  const put = (bytes: Uint8Array): void => {
    for (let from = 0; from < bytes.length; from += LOG_BLOCK_BYTES) {
      log.set(bytes.subarray(from, from + LOG_BLOCK_BYTES), ringAt + (head % ringBytes));
      head += LOG_BLOCK_BYTES;
    }
  };
  for (const record of records) for (const bytes of bytesOf(record, little)) put(bytes);
  if (head - tail > ringBytes) throw new Error('test: the ring is too small');
  const view = new DataView(log.buffer);
  for (const [at, generation] of [
    [0, 7],
    [LOG_BLOCK_BYTES, 8],
  ] as const) {
    view.setUint32(at, TYPE.header, little);
    view.setInt32(at + 4, LOG_BLOCK_BYTES, little);
    view.setUint32(at + 12, generation, little);
    view.setUint32(at + 40, 9, little);
    view.setUint32(at + 44, 9, little);
    // The older header says that there is nothing.
    const used = generation === 8 && records.length > 0;
    view.setBigInt64(at + 48, BigInt(used ? ringAt + (head % ringBytes) : 0), little);
    view.setBigInt64(at + 56, BigInt(used ? ringAt + (tail % ringBytes) : 0), little);
    view.setBigInt64(at + 64, BigInt(ringAt), little);
    view.setBigInt64(at + 72, BigInt(ringBytes), little);
  }
  return log;
}

function* bytesOf(record: LogRecord, little: boolean): Generator<Uint8Array> {
  const block = new Uint8Array(LOG_BLOCK_BYTES);
  const view = new DataView(block.buffer);
  view.setUint32(0, TYPE[record.kind], little);
  if (record.kind === 'inodes') {
    view.setInt32(4, LOG_BLOCK_BYTES, little);
    view.setInt32(8, record.inodes.length, little);
    view.setInt32(12, record.clear ? 1 : 0, little);
    for (const [index, inode] of record.inodes.entries()) view.setUint32(16 + index * 8, inode, little);
    yield block;
    return;
  }
  const items = record.pieces.map((piece) =>
    'bytes' in piece ? { at: piece.at, length: piece.bytes.length } : piece,
  );
  const contents = record.kind === 'blocks' ? items.reduce((sum, { length }) => sum + length, 0) : 0;
  view.setInt32(4, LOG_BLOCK_BYTES + contents, little);
  view.setInt32(8, items.length, little);
  for (const [index, { at, length }] of items.entries()) {
    view.setBigInt64(16 + index * 16, BigInt(at / 512), little);
    view.setInt32(16 + index * 16 + 12, length, little);
  }
  yield block;
  if (record.kind === 'blocks') for (const { bytes } of record.pieces) yield bytes;
}

/** Records with all that differs between two images, in pieces of that length. */
export function recordsOfDifference(before: Uint8Array, after: Uint8Array, pieceBytes: number): LogRecord[] {
  const pieces: LoggedPiece[] = [];
  for (let at = 0; at < before.length; at += pieceBytes) {
    const bytes = after.slice(at, at + pieceBytes);
    if (Buffer.compare(before.subarray(at, at + pieceBytes), bytes) !== 0) pieces.push({ at, bytes });
  }
  const records: LogRecord[] = [];
  for (let from = 0; from < pieces.length; from += 20)
    records.push({ kind: 'blocks', pieces: pieces.slice(from, from + 20) });
  return records;
}
