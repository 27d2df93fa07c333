/**
 * The numbers of the kernel's FUSE protocol, version 7: a message of the kernel is a header and the
 * operation's own fields, an answer is a header with an error or the fields of the result. All
 * numbers are in the order of the processor, which here is little endian. (Source: the description
 * in Linux's `include/uapi/linux/fuse.h` and `fuse(4)`.)
 */

/** The version that we speak; the kernel takes the lower one of its and ours. */
export const VERSION = { major: 7, minor: 31 } as const;

/** The first version whose attributes and headers have the sizes that are used here. */
export const MINOR_MIN = 23;

export const HEADER_BYTES = { request: 40, answer: 16 } as const;

/** The operations that the kernel asks for. Those that are missing here are answered by ENOSYS. */
export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  readdirplus: 44,
  rename2: 45,
  syncfs: 50,
} as const;

/** What is agreed on at the beginning. */
export const INIT_FLAG = {
  asyncRead: 1 << 0,
  /** OPEN is told of O_TRUNC, and cuts the file. */
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  readdirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  parallelDirectories: 1 << 18,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  /** The kernel keeps cached content until it is told otherwise. */
  explicitInvalidation: 1 << 25,
} as const;

/** Answers to OPEN and OPENDIR. */
export const OPEN_FLAG = { direct: 1 << 0, keepCache: 1 << 1, cacheDirectory: 1 << 3 } as const;

/** Which attributes SETATTR sets. */
export const SETATTR = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  accessed: 1 << 4,
  modified: 1 << 5,
} as const;

/** Flags of RENAME2. */
export const RENAME = { noReplace: 1, exchange: 2 } as const;

/** Messages that nobody has asked for; the code stands where an answer has its error. */
export const NOTIFY = { invalidateInode: 2, invalidateEntry: 3 } as const;

/** Kinds of nodes in a mode. */
export const MODE_TYPE = {
  fifo: 0o010000,
  'character-device': 0o020000,
  directory: 0o040000,
  'block-device': 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;
export const MODE_TYPE_MASK = 0o170000;

/** Flags of open(2) on Linux, as most processors have them. */
export const OPEN_ACCESS_MASK = 3;
export const OPEN_READ_ONLY = 0;
export const OPEN_WRITE_ONLY = 1;
export const OPEN_TRUNCATE = 0o1000;

/** The number of the root. */
export const ROOT_ID = 1;
