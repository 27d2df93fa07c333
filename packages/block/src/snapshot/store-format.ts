/**
 * The format of a snapshot store: what snapshots need of a device that has been written to since,
 * kept on a device of its own. This file is its definition. Numbers are little endian, and a sector
 * of 512 bytes is written as a whole or not at all.
 *
 * The first 64 KiB hold two copies of the superblock, at 0 and at 16 KiB, of 8 KiB each. They are
 * written in turn, so that one of them is always whole: that with a right checksum and the higher
 * generation counts. A superblock:
 *
 * | at | bytes | |
 * | -- | ----- | -- |
 * | 0  | 8     | "GINITSNP" |
 * | 8  | 4     | version: 1 |
 * | 12 | 4     | CRC-32 of the 8 KiB, counted with these four bytes zero |
 * | 16 | 8     | generation |
 * | 24 | 4     | bytes of a chunk, a power of two |
 * | 28 | 4     | bytes of a map: 4096 |
 * | 32 | 4     | block size of the origin |
 * | 36 | 4     | number of snapshots |
 * | 40 | 4     | the last number given to a snapshot |
 * | 44 | 4     | number of the snapshot to which a rollback is under way; 0: none |
 * | 48 | 8     | the last rollback token; 0: none |
 * | 56 | 4     | groups whose maps were written |
 * | 128 | 112 each | the snapshots, the oldest first |
 *
 * A snapshot: its number (4 bytes; they only grow), its state (4; 1: sound, 2: being deleted), the
 * blocks that the origin had (8), the milliseconds since 1970 when it was made (8), the length of
 * its name in bytes (4), 4 bytes of zero, and the name in UTF-8 (at most 80 bytes).
 *
 * From 64 KiB on there are groups: a map, and the 128 chunks that it describes. A store that grows
 * gets further groups. A map holds an entry of 32 bytes for each of its chunks: the number of a
 * snapshot (4; 0: the chunk is free), the CRC-32 of the entry with these four bytes zero (4), the
 * chunk of the origin (8), and 16 bytes of zero.
 *
 * A chunk of the store that belongs to snapshot S and to chunk C of the origin holds what C held
 * when S was made. A chunk that a snapshot does not have is that of the next newer snapshot which
 * has it, or else that of the origin.
 *
 * Order of writes, with a SYNC of the store between each two steps. Before a chunk of the origin is
 * written for the first time since the newest snapshot was made: its old content into a free chunk;
 * the entry; then the write to the origin. A chunk whose entry was cleared is free after the SYNC.
 */
import { blockError } from '@ginit/core/block';
import { crc32 } from '../lib/crc32.ts';
import { isZero } from '../lib/is-zero.ts';

/** The most snapshots of a store. */
export const SNAPSHOTS_MAX = 64;
/** The longest name of a snapshot in bytes. */
export const NAME_BYTES_MAX = 80;
/** Bytes of a superblock, and where the two are. */
export const SUPERBLOCK_BYTES = 8192;
export const SUPERBLOCKS_AT: readonly [number, number] = [0, 16_384];
/** Where the groups begin. */
export const GROUPS_AT = 65_536;
/** Chunks of a group. */
export const GROUP_CHUNKS = 128;
/** Bytes of a map, and of one of its entries. */
export const MAP_BYTES = 4096;
const ENTRY_BYTES = 32;

/** The sizes of chunks. */
export const CHUNK_BYTES_MIN = 4096;
export const CHUNK_BYTES_MAX = 1024 * 1024;

const MAGIC = 'GINITSNP';
const VERSION = 1;
const SNAPSHOTS_AT = 128;
const SNAPSHOT_BYTES = 112;
const STATES = ['sound', 'deleting'] as const;

/** A snapshot, as the store lists it. */
export interface SnapshotRecord {
  readonly id: number;
  readonly state: (typeof STATES)[number];
  /** The blocks that the origin had. */
  readonly blockCount: number;
  readonly createdMs: number;
  readonly name: string;
}

/** A superblock. */
export interface Superblock {
  readonly generation: number;
  readonly chunkBytes: number;
  readonly originBlockSize: number;
  readonly lastId: number;
  /** The snapshot to which a rollback is under way. */
  readonly rollbackTo: number;
  readonly rollbackToken: number;
  /** Groups whose maps were written. Behind them the device may hold anything. */
  readonly groups: number;
  readonly snapshots: readonly SnapshotRecord[];
}

/** The bytes of a superblock. */
export function writeSuperblock(superblock: Superblock): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, letter] of [...MAGIC].entries()) bytes[index] = letter.charCodeAt(0);
  view.setUint32(8, VERSION, true);
  view.setBigUint64(16, BigInt(superblock.generation), true);
  view.setUint32(24, superblock.chunkBytes, true);
  view.setUint32(28, MAP_BYTES, true);
  view.setUint32(32, superblock.originBlockSize, true);
  view.setUint32(36, superblock.snapshots.length, true);
  view.setUint32(40, superblock.lastId, true);
  view.setUint32(44, superblock.rollbackTo, true);
  view.setBigUint64(48, BigInt(superblock.rollbackToken), true);
  view.setUint32(56, superblock.groups, true);
  for (const [index, snapshot] of superblock.snapshots.entries()) {
    const at = SNAPSHOTS_AT + index * SNAPSHOT_BYTES;
    const name = new TextEncoder().encode(snapshot.name);
    view.setUint32(at, snapshot.id, true);
    view.setUint32(at + 4, STATES.indexOf(snapshot.state) + 1, true);
    view.setBigUint64(at + 8, BigInt(snapshot.blockCount), true);
    view.setBigUint64(at + 16, BigInt(snapshot.createdMs), true);
    view.setUint32(at + 24, name.byteLength, true);
    bytes.set(name, at + 32);
  }
  view.setUint32(12, crc32(bytes), true);
  return bytes;
}

/**
 * Reads a superblock. `undefined`: this is none, or a damaged one. Throws if it is a foreign one.
 */
export function readSuperblock(bytes: Uint8Array): Superblock | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES);
  if (String.fromCharCode(...bytes.subarray(0, MAGIC.length)) !== MAGIC) return undefined;
  const stated = view.getUint32(12, true);
  if (crc32(bytes.slice(0, SUPERBLOCK_BYTES).fill(0, 12, 16)) !== stated) return undefined;
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw blockError('Invalid', `a snapshot store of version ${version} is not known`);
  const count = view.getUint32(36, true);
  if (count > SNAPSHOTS_MAX) throw blockError('Invalid', `a snapshot store with ${count} snapshots`);
  const superblock = {
    generation: u53(view, 16),
    chunkBytes: view.getUint32(24, true),
    originBlockSize: view.getUint32(32, true),
    lastId: view.getUint32(40, true),
    rollbackTo: view.getUint32(44, true),
    rollbackToken: u53(view, 48),
    groups: view.getUint32(56, true),
    snapshots: Array.from({ length: count }, (_, index) =>
      readSnapshot(bytes, view, SNAPSHOTS_AT + index * SNAPSHOT_BYTES),
    ),
  };
  const { chunkBytes, originBlockSize } = superblock;
  const mapBytes = view.getUint32(28, true);
  if (!isChunkSize(chunkBytes) || mapBytes !== MAP_BYTES) {
    throw blockError(
      'Invalid',
      `a snapshot store with chunks of ${chunkBytes} and maps of ${mapBytes} bytes`,
    );
  }
  if (!isOriginBlockSize(originBlockSize, chunkBytes)) {
    throw blockError(
      'Invalid',
      `a snapshot store with chunks of ${chunkBytes} bytes for blocks of ${originBlockSize}`,
    );
  }
  return superblock;
}

function readSnapshot(bytes: Uint8Array, view: DataView, at: number): SnapshotRecord {
  const state = STATES[view.getUint32(at + 4, true) - 1];
  const nameBytes = view.getUint32(at + 24, true);
  if (state === undefined || nameBytes > NAME_BYTES_MAX) {
    throw blockError('Invalid', 'a snapshot store that lists an impossible snapshot');
  }
  return {
    id: view.getUint32(at, true),
    state,
    blockCount: u53(view, at + 8),
    createdMs: u53(view, at + 16),
    name: new TextDecoder().decode(bytes.subarray(at + 32, at + 32 + nameBytes)),
  };
}

/** What the blocks of an origin may have. */
const ORIGIN_BLOCK_BYTES_MIN = 512;
const ORIGIN_BLOCK_BYTES_MAX = 65_536;

/** An entry of a map. */
export interface MapEntry {
  /** The number of the snapshot; 0: the chunk is free. */
  readonly snapshot: number;
  /** The chunk of the origin. */
  readonly chunk: number;
}

/** Writes an entry into the bytes of a map. */
export function writeEntry(map: Uint8Array, index: number, { snapshot, chunk }: MapEntry): void {
  const at = index * ENTRY_BYTES;
  map.fill(0, at, at + ENTRY_BYTES);
  if (snapshot === 0) return;
  const view = new DataView(map.buffer, map.byteOffset + at, ENTRY_BYTES);
  view.setUint32(0, snapshot, true);
  view.setBigUint64(8, BigInt(chunk), true);
  view.setUint32(4, crc32(map.subarray(at, at + ENTRY_BYTES)), true);
}

/** Reads an entry. `undefined` if it is damaged. */
export function readEntry(map: Uint8Array, index: number): MapEntry | undefined {
  const bytes = map.slice(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  const snapshot = view.getUint32(0, true);
  if (snapshot === 0) return isZero(bytes) ? { snapshot: 0, chunk: 0 } : undefined;
  const stated = view.getUint32(4, true);
  view.setUint32(4, 0, true);
  if (crc32(bytes) !== stated) return undefined;
  return { snapshot, chunk: u53(view, 8) };
}

function u53(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw blockError('Invalid', 'a snapshot store with a number beyond 2^53');
}

/** Whether chunks may have this size. */
export function isChunkSize(bytes: number): boolean {
  return bytes >= CHUNK_BYTES_MIN && bytes <= CHUNK_BYTES_MAX && Number.isInteger(Math.log2(bytes));
}

/** Whether blocks of the origin can have this size, with chunks of a possible one. */
export function isOriginBlockSize(bytes: number, chunkBytes: number): boolean {
  return (
    bytes >= ORIGIN_BLOCK_BYTES_MIN &&
    bytes <= Math.min(chunkBytes, ORIGIN_BLOCK_BYTES_MAX) &&
    Number.isInteger(Math.log2(bytes))
  );
}
