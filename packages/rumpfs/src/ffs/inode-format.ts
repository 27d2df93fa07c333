import { Fields } from './fields.ts';
import type { Inode } from './inode.ts';
import type { Superblock } from './superblock.ts';

/*
 * An inode on the device. The times are whole seconds with nanoseconds beside them; those that did
 * not change keep their nanoseconds.
 *
 *     UFS1: 0 mode · 2 links · 4 old owners · 8 size · 16 accessed · 24 modified · 32 changed ·
 *           40 pointers · 100 flags · 104 sectors · 108 generation · 112 user · 116 group
 *     UFS2: 0 mode · 2 links · 4 user · 8 group · 12 block size · 16 size · 24 sectors · 32 accessed ·
 *           40 modified · 48 changed · 56 born · 64 their nanoseconds (modified, accessed, changed,
 *           born) · 80 generation · 88 flags · 92 attribute bytes · 96 attribute pointers · 112 pointers
 */
const POINTERS_AT = { 1: 40, 2: 112 } as const;

/** Where a time is: its seconds and its nanoseconds. */
type TimePlace = readonly [number, number];
const TIMES_1 = { accessed: [16, 20], modified: [24, 28], changed: [32, 36] } as const;
const TIMES_2 = { accessed: [32, 68], modified: [40, 64], changed: [48, 72], born: [56, 76] } as const;

export function decodeInode(inode: Inode, view: DataView, offset: number, superblock: Superblock): void {
  const fields = fieldsAt(view, offset, superblock);
  inode.mode = fields.u16(0);
  inode.linkCount = fields.u16(2);
  const pointersAt = POINTERS_AT[superblock.revision];
  inode.area.bytes.set(fields.bytes.subarray(pointersAt, pointersAt + inode.area.bytes.length));
  if (superblock.revision === 1) {
    inode.sizeBytes = fields.i64(8);
    inode.accessedMs = timeAt(fields, TIMES_1.accessed, false);
    inode.modifiedMs = timeAt(fields, TIMES_1.modified, false);
    inode.changedMs = timeAt(fields, TIMES_1.changed, false);
    inode.flags = fields.u32(100);
    inode.sectors = fields.u32(104);
    inode.generation = fields.u32(108);
    inode.uid = superblock.oldInodes ? fields.u16(4) : fields.u32(112);
    inode.gid = superblock.oldInodes ? fields.u16(6) : fields.u32(116);
    return;
  }
  inode.uid = fields.u32(4);
  inode.gid = fields.u32(8);
  inode.sizeBytes = fields.i64(16);
  inode.sectors = fields.i64(24);
  inode.accessedMs = timeAt(fields, TIMES_2.accessed, true);
  inode.modifiedMs = timeAt(fields, TIMES_2.modified, true);
  inode.changedMs = timeAt(fields, TIMES_2.changed, true);
  inode.bornMs = timeAt(fields, TIMES_2.born, true);
  inode.generation = fields.u32(80);
  inode.flags = fields.u32(88);
  inode.attributesBytes = fields.i32(92);
  inode.attributePointers[0] = fields.i64(96);
  inode.attributePointers[1] = fields.i64(104);
}

export function encodeInode(inode: Inode, view: DataView, offset: number, superblock: Superblock): void {
  const fields = fieldsAt(view, offset, superblock);
  fields.setU16(0, inode.mode);
  fields.setU16(2, inode.lingering ? Math.max(1, inode.linkCount) : inode.linkCount);
  fields.bytes.set(inode.area.bytes, POINTERS_AT[superblock.revision]);
  if (superblock.revision === 1) {
    fields.setI64(8, inode.sizeBytes);
    setTime(fields, TIMES_1.accessed, false, inode.accessedMs);
    setTime(fields, TIMES_1.modified, false, inode.modifiedMs);
    setTime(fields, TIMES_1.changed, false, inode.changedMs);
    fields.setU32(100, inode.flags);
    fields.setU32(104, inode.sectors);
    fields.setU32(108, inode.generation);
    fields.setU32(112, inode.uid);
    fields.setU32(116, inode.gid);
    return;
  }
  fields.setU32(4, inode.uid);
  fields.setU32(8, inode.gid);
  fields.setI64(16, inode.sizeBytes);
  fields.setI64(24, inode.sectors);
  setTime(fields, TIMES_2.accessed, true, inode.accessedMs);
  setTime(fields, TIMES_2.modified, true, inode.modifiedMs);
  setTime(fields, TIMES_2.changed, true, inode.changedMs);
  setTime(fields, TIMES_2.born, true, inode.bornMs ?? 0);
  fields.setU32(80, inode.generation);
  fields.setU32(88, inode.flags);
  fields.setU32(92, inode.attributesBytes);
  fields.setI64(96, inode.attributePointers[0] ?? 0);
  fields.setI64(104, inode.attributePointers[1] ?? 0);
}

function fieldsAt(view: DataView, offset: number, superblock: Superblock): Fields {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, superblock.inodeSizeBytes);
  return new Fields(bytes, superblock.littleEndian);
}

function timeAt(fields: Fields, [seconds, nanoseconds]: TimePlace, wide: boolean): number {
  const whole = wide ? fields.i64(seconds) : fields.i32(seconds);
  return whole * 1000 + Math.floor(fields.u32(nanoseconds) / 1_000_000);
}

function setTime(fields: Fields, place: TimePlace, wide: boolean, timeMs: number): void {
  if (timeAt(fields, place, wide) === timeMs) return;
  const seconds = Math.floor(timeMs / 1000);
  const rest = Math.floor(timeMs - seconds * 1000) * 1_000_000;
  if (wide) fields.setI64(place[0], seconds);
  else fields.setU32(place[0], Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, seconds)));
  fields.setU32(place[1], rest);
}
