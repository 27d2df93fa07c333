/**
 * Makes a FAT: the boot sector with its copy and FSInfo (FAT32), two tables, and an empty root
 * directory. The structures are those that `msdos/boot-sector.ts` describes; nothing of that is
 * used here, so that one does not repeat a mistake of the other.
 */
import { FsError } from '../errors.ts';
import { type FormatDevice, type FormatWorld, FormatWriter } from './format-device.ts';
import { FAT_COPIES, type MsdosGeometry, msdosGeometry, type MsdosWishes } from './msdos-geometry.ts';

/** The wishes for a FAT. */
export interface MsdosOptions extends MsdosWishes {
  /** At most 11 characters of code page 437. */
  readonly label?: string | undefined;
  /** The serial number, of 32 bits; by chance if it is missing. */
  readonly serial?: number | undefined;
}

const LABEL_CHARACTERS = 11;
const NO_LABEL = 'NO NAME';
const NOT_IN_LABELS = /["*+,./:;<=>?[\\\]|]/;
const ATTRIBUTE_LABEL = 0x08;
const BACKUP_SECTOR = 6;
const INFO_SECTOR = 1;
const ROOT_CLUSTER = 2;
/** The first bytes of a volume are cleared, so that nobody finds what was there before. */
const CLEARED_BYTES = 68 * 1024;
/** `jmp` to where the fields end, and there: halt, for ever. */
const HALT = [0xf4, 0xeb, 0xfd];

/** Makes the file system. Rejects with `FsError`. */
export async function makeMsdos(
  device: FormatDevice,
  options: MsdosOptions,
  world: FormatWorld,
): Promise<void> {
  const writer = new FormatWriter(device);
  const sectorBytes = options.sectorBytes ?? device.sectorSizeBytes;
  const geometry = msdosGeometry(writer.sizeBytes, { ...options, sectorBytes });
  const label = labelOf(options.label);
  const serial = serialOf(options.serial, world);
  const fatsStart = geometry.reserved * sectorBytes;
  const fatBytes = geometry.fatSectors * sectorBytes;
  const rootBytes =
    geometry.bits === 32 ? geometry.sectorsPerCluster * sectorBytes : geometry.rootEntries * 32;
  const rootStart = fatsStart + FAT_COPIES * fatBytes;
  const end = rootStart + rootBytes;
  const size = Math.floor(writer.sizeBytes / sectorBytes) * sectorBytes;
  // What says that there is a file system is written last.
  await writer.zero(0, Math.min(Math.max(end, CLEARED_BYTES), size));
  world.progress?.(0.5);
  for (let copy = 0; copy < FAT_COPIES; copy += 1) {
    await writer.write(fatsStart + copy * fatBytes, firstEntries(geometry));
  }
  if (label !== undefined) await writer.write(rootStart, rootWithLabel(label, sectorBytes, world.nowMs));
  const boot = bootSector(geometry, label ?? NO_LABEL, serial);
  if (geometry.bits === 32) {
    const info = infoSector(geometry);
    for (const sector of [INFO_SECTOR, BACKUP_SECTOR + INFO_SECTOR]) {
      await writer.write(sector * sectorBytes, info);
    }
    await writer.write(BACKUP_SECTOR * sectorBytes, boot);
  }
  await writer.write(0, boot);
  await writer.sync();
  world.progress?.(1);
}

/** The bytes of the serial number. */
function serialOf(wanted: number | undefined, world: FormatWorld): Uint8Array {
  const bytes = new Uint8Array(4);
  if (wanted === undefined) world.random(bytes);
  else if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 0xffff_ffff)
    new DataView(bytes.buffer).setUint32(0, wanted, true);
  else throw new FsError('InvalidArgument', `${wanted} is no serial number of 32 bits`);
  return bytes;
}

function labelOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const label = text.toUpperCase();
  const sound =
    label.length <= LABEL_CHARACTERS &&
    !NOT_IN_LABELS.test(label) &&
    /^[ -~]+$/.test(label) &&
    !label.startsWith(' ');
  if (sound) return label;
  throw new FsError(
    'InvalidArgument',
    `"${text}" is no label of a FAT: at most 11 characters, none of "*+,./:;<=>?[\\]|`,
  );
}

function put(bytes: Uint8Array, at: number, text: string, length: number): void {
  bytes.set(new TextEncoder().encode(text.padEnd(length)), at);
}

function bootSector(geometry: MsdosGeometry, label: string, serial: Uint8Array): Uint8Array {
  const { bits, sectors, sectorBytes, fatSectors } = geometry;
  const bytes = new Uint8Array(sectorBytes);
  const view = new DataView(bytes.buffer);
  const wide = bits === 32;
  const codeAt = wide ? 90 : 62;
  bytes.set([0xeb, codeAt - 2, 0x90]);
  put(bytes, 3, 'GINIT', 8);
  view.setUint16(11, sectorBytes, true);
  view.setUint8(13, geometry.sectorsPerCluster);
  view.setUint16(14, geometry.reserved, true);
  view.setUint8(16, FAT_COPIES);
  view.setUint16(17, geometry.rootEntries, true);
  const short = !wide && sectors < 0x1_0000;
  view.setUint16(19, short ? sectors : 0, true);
  view.setUint8(21, geometry.media);
  view.setUint16(22, wide ? 0 : fatSectors, true);
  view.setUint16(24, geometry.sectorsPerTrack, true);
  view.setUint16(26, geometry.heads, true);
  view.setUint32(32, short ? 0 : sectors, true);
  if (wide) {
    view.setUint32(36, fatSectors, true);
    view.setUint32(44, ROOT_CLUSTER, true);
    view.setUint16(48, INFO_SECTOR, true);
    view.setUint16(50, BACKUP_SECTOR, true);
  }
  const extended = wide ? 64 : 36;
  view.setUint8(extended, geometry.media === 0xf8 ? 0x80 : 0);
  view.setUint8(extended + 2, 0x29);
  bytes.set(serial, extended + 3);
  put(bytes, extended + 7, label, LABEL_CHARACTERS);
  put(bytes, extended + 18, `FAT${bits}`, 8);
  bytes.set(HALT, codeAt);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function infoSector({ clusters, sectorBytes }: MsdosGeometry): Uint8Array {
  const bytes = new Uint8Array(sectorBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x4161_5252, true);
  view.setUint32(484, 0x6141_7272, true);
  // One is the root directory's.
  view.setUint32(488, clusters - 1, true);
  view.setUint32(492, ROOT_CLUSTER, true);
  view.setUint32(508, 0xaa55_0000, true);
  return bytes;
}

/** The entries 0 and 1, which hold no clusters, and of FAT32 the root directory's. */
function firstEntries({ bits, media, sectorBytes }: MsdosGeometry): Uint8Array {
  const bytes = new Uint8Array(sectorBytes);
  const view = new DataView(bytes.buffer);
  switch (bits) {
    case 12:
      bytes.set([media, 0xff, 0xff]);
      break;
    case 16:
      view.setUint16(0, 0xff00 | media, true);
      view.setUint16(2, 0xffff, true);
      break;
    case 32:
      view.setUint32(0, 0x0fff_ff00 | media, true);
      view.setUint32(4, 0x0fff_ffff, true);
      view.setUint32(8, 0x0fff_fff8, true);
      break;
  }
  return bytes;
}

function rootWithLabel(label: string, sectorBytes: number, nowMs: number): Uint8Array {
  const bytes = new Uint8Array(sectorBytes);
  const view = new DataView(bytes.buffer);
  put(bytes, 0, label, LABEL_CHARACTERS);
  view.setUint8(11, ATTRIBUTE_LABEL);
  const time = new Date(nowMs);
  const years = Math.max(0, Math.min(127, time.getUTCFullYear() - 1980));
  view.setUint16(
    22,
    (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1),
    true,
  );
  view.setUint16(24, (years << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate(), true);
  return bytes;
}
