/** Refcounts of 1 to 64 bits in the bytes of a refcount block. */

/** The largest count that is told apart; larger ones read as this. */
const LARGEST = Number.MAX_SAFE_INTEGER;

/** Reads the count with this index; counts have 2^order bits. */
export function readCount(block: DataView, order: number, index: number): number {
  switch (order) {
    case 3:
      return block.getUint8(index);
    case 4:
      return block.getUint16(index * 2);
    case 5:
      return block.getUint32(index * 4);
    case 6: {
      const count = block.getBigUint64(index * 8);
      return count > BigInt(LARGEST) ? LARGEST : Number(count);
    }
    default: {
      // Counts below a byte are packed from the lowest bit on.
      const bits = 1 << order;
      const at = index * bits;
      return (block.getUint8(at >> 3) >> (at & 7)) & ((1 << bits) - 1);
    }
  }
}

/** Writes a count, which fits. */
export function writeCount(block: DataView, order: number, index: number, count: number): void {
  switch (order) {
    case 3:
      return block.setUint8(index, count);
    case 4:
      return block.setUint16(index * 2, count);
    case 5:
      return block.setUint32(index * 4, count);
    case 6:
      return block.setBigUint64(index * 8, BigInt(count));
    default: {
      const bits = 1 << order;
      const at = index * bits;
      const mask = ((1 << bits) - 1) << (at & 7);
      block.setUint8(at >> 3, (block.getUint8(at >> 3) & ~mask) | (count << (at & 7)));
    }
  }
}

/** The largest count of 2^order bits. */
export function countMax(order: number): number {
  return order >= 6 ? LARGEST : 2 ** (2 ** order) - 1;
}
