/**
 * File systems for programs: `mount` gives the one in an image, or on a Block session, the shape of
 * Node's `fs.promises`. Components use `@ginit/rumpfs/session`, which touches nothing of the host.
 */
export { FsError, type FsErrorCode } from './errors.ts';
export { mount, type NodeMountOptions } from './node/mount.ts';
export type { MountableBlocks } from './promises/block-device.ts';
export * from './promises/index.ts';
