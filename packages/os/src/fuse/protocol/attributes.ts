import type { NodeStatus, NodeType } from '@ginit/core/file_system';
import { MODE_TYPE } from './constants.ts';
import type { Message } from './message.ts';

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000;
const SECTOR_BYTES = 512;
/** What programs take as a good size for reading and writing. */
const BLOCK_BYTES = 4096;

/** How attributes are shown. What is missing is as the file system says. */
export interface Appearance {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Bits that no mode shows. */
  readonly umask: number;
}

/** How long the kernel may keep a name and attributes, in seconds. */
export interface Validity {
  readonly seconds: number;
}

/** `fuse_attr`, 88 bytes. */
export function writeAttributes(into: Message, status: NodeStatus, appearance: Appearance): void {
  const { accessedMs, modifiedMs, changedMs } = status;
  const times = [accessedMs, modifiedMs, changedMs];
  into
    .u64(status.inode)
    .u64(status.sizeBytes)
    .u64(Math.ceil(status.allocatedBytes / SECTOR_BYTES));
  for (const ms of times) into.u64(Math.floor(ms / MS_PER_SECOND));
  for (const ms of times) into.u32((ms % MS_PER_SECOND) * NS_PER_MS);
  into
    .u32(MODE_TYPE[status.type] | (status.mode & 0o7777 & ~appearance.umask))
    .u32(status.links)
    .u32(appearance.uid ?? status.uid)
    .u32(appearance.gid ?? status.gid)
    .u32(0)
    .u32(BLOCK_BYTES)
    .u32(0);
}

/** `fuse_attr_out`. */
export function writeAttributesAnswer(
  into: Message,
  status: NodeStatus,
  { appearance, seconds }: Validity & { readonly appearance: Appearance },
): void {
  into.u64(seconds).u32(0).u32(0);
  writeAttributes(into, status, appearance);
}

/** `fuse_entry_out`, 128 bytes. */
export function writeEntry(
  into: Message,
  node: { readonly id: number; readonly generation: number },
  status: NodeStatus,
  { appearance, seconds }: Validity & { readonly appearance: Appearance },
): void {
  into.u64(node.id).u64(node.generation).u64(seconds).u64(seconds).u32(0).u32(0);
  writeAttributes(into, status, appearance);
}

/** An entry without a node: `fuse_entry_out` that says nothing. */
export const EMPTY_ENTRY_BYTES = 128;

const DIRENT_BYTES = 24;
const ALIGN = 8;

/** The bytes of `fuse_dirent` with this name. */
export function direntBytes(name: Uint8Array): number {
  return Math.ceil((DIRENT_BYTES + name.length) / ALIGN) * ALIGN;
}

/** `fuse_dirent`: `next` is the offset of the entry that follows it. */
export function writeDirent(
  into: Message,
  entry: {
    readonly inode: number;
    readonly type: NodeType;
    readonly name: Uint8Array;
    readonly next: number;
  },
): void {
  const { inode, type, name, next } = entry;
  // The type of a directory entry is that of a mode, without its lower bits.
  into
    .u64(inode)
    .u64(next)
    .u32(name.length)
    .u32(MODE_TYPE[type] >> 12)
    .raw(name);
  into.zeros(direntBytes(name) - DIRENT_BYTES - name.length);
}
