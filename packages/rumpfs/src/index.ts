/**
 * File systems for programs: `mount` gives the one in an image, or on a Block session, the shape of
 * Node's `fs.promises`; `mkfs` makes one, `check` checks one. Components use
 * `@ginit/rumpfs/session`, which touches nothing of the host.
 */
export type { CheckReport, Finding, RepairReport } from './check/report.ts';
export { FsError, type FsErrorCode } from './errors.ts';
export { fileSystemTypes } from './file-systems.ts';
export type { FormatDevice, FormatProgress, FormatWorld } from './mkfs/format-device.ts';
export {
  isMadeType,
  MADE_TYPES,
  type MadeType,
  type MakeOptions,
  makeFileSystem,
} from './mkfs/make-file-system.ts';
export { check, type ImageOptions, mkfs, type MkfsOptions, repair } from './node/maintain.ts';
export { mount, type NodeMountOptions } from './node/mount.ts';
export { type Place, placeOf } from './node/place.ts';
export type { MountableBlocks } from './promises/block-device.ts';
export * from './promises/index.ts';
