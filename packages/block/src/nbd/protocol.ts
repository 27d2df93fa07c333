/**
 * NBD, the network block device protocol: numbers that both ends share. A connection has two
 * phases. In the *handshake* (here always fixed newstyle) the client sends options and the server
 * replies to each: the exports are listed, TLS begins, structured replies and the context
 * `base:allocation` are agreed on, and GO picks an export. In the *transmission* the client sends
 * requests with a cookie each, any number at a time, and the server answers in any order: with
 * simple replies, or with structured ones, of which one request may get several chunks. All numbers
 * are big-endian. (Source: doc/proto.md of the NetworkBlockDevice/nbd repository, as of 2023.)
 *
 *     handshake     server  NBDMAGIC IHAVEOPT flags:16            client  flags:32
 *     option        IHAVEOPT option:32 length:32 data             reply  magic:64 option:32 type:32 length:32 data
 *     request       magic:32 flags:16 type:16 cookie:64 offset:64 length:32 [data]
 *     simple reply  magic:32 error:32 cookie:64 [data]
 *     chunk         magic:32 flags:16 type:16 cookie:64 length:32 data
 */

/** The two words with which a server greets. */
export const GREETING_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const CHUNK_MAGIC = 0x668e33ef;

/** Flags of the greeting, and of the client's answer to it. */
export const HANDSHAKE_FLAG = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const OPTION = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

const REFUSED = 0x8000_0000;

export const OPTION_REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  unsupported: REFUSED + 1,
  policy: REFUSED + 2,
  invalid: REFUSED + 3,
  platform: REFUSED + 4,
  tlsRequired: REFUSED + 5,
  unknown: REFUSED + 6,
  shutdown: REFUSED + 7,
  blockSizeRequired: REFUSED + 8,
  tooBig: REFUSED + 9,
} as const;

/** Whether a reply to an option is a refusal. */
export const isRefusal = (type: number): boolean => type >= REFUSED;

/** The pieces of information about an export. */
export const INFO = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

/** Flags of an export in the transmission phase. */
export const EXPORT_FLAG = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  flush: 1 << 2,
  fua: 1 << 3,
  trim: 1 << 5,
  writeZeroes: 1 << 6,
  dontFragment: 1 << 7,
  multiConnection: 1 << 8,
} as const;

export const COMMAND = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const COMMAND_FLAG = {
  /** The data is on stable storage when the request is answered. */
  fua: 1 << 0,
  /** WRITE_ZEROES: the blocks stay allocated. */
  noHole: 1 << 1,
  /** READ: one chunk with everything. */
  dontFragment: 1 << 2,
  /** BLOCK_STATUS: one extent is enough. */
  oneExtent: 1 << 3,
} as const;

/** Types of chunks. */
export const CHUNK = {
  none: 0,
  data: 1,
  hole: 2,
  blockStatus: 5,
  error: 0x8001,
  errorAt: 0x8002,
} as const;
export const CHUNK_DONE = 1;
/** Chunks of this type and above tell of an error. */
export const CHUNK_ERRORS = 0x8000;

/** The errors that go over the wire: numbers of Linux. */
export const NBD_ERROR = {
  ok: 0,
  notPermitted: 1,
  inputOutput: 5,
  noMemory: 12,
  invalid: 22,
  noSpace: 28,
  overflow: 75,
  notSupported: 95,
  shutdown: 108,
} as const;

/** The context that every client asks for, with the states of its extents. */
export const ALLOCATION_CONTEXT = 'base:allocation';
export const ALLOCATION_STATE = { hole: 1, zero: 2 } as const;

/** Sizes in bytes. */
export const REQUEST_BYTES = 28;
export const SIMPLE_REPLY_BYTES = 16;
export const CHUNK_HEADER_BYTES = 20;
export const OPTION_HEADER_BYTES = 16;
export const OPTION_REPLY_HEADER_BYTES = 20;
/** Zeros behind the answer to EXPORT_NAME, unless they were agreed away. */
export const EXPORT_NAME_ZEROES = 124;

/** The bounds of what a peer may send. */
export const NBD_LIMITS = {
  /** Bytes of a name, a description or a text for people; the protocol's own bound. */
  textBytes: 4096,
  /** Bytes of the data of one option or one reply to it. */
  optionBytes: 64 * 1024,
  /** Options of one handshake; a client that lists the exports of a server uses a few. */
  options: 1024,
  /** Replies to one option: a few pieces of information. They have `optionBytes` together. */
  optionReplies: 64,
  /** Bytes that one request reads or writes; what clients expect where nothing is said. */
  requestBytes: 32 * 1024 * 1024,
  /** Extents of one reply to BLOCK_STATUS. */
  extents: 4096,
} as const;

/** How a connection between two ends failed. */
export type NbdFailure =
  /** The other end does not keep to the protocol. */
  | 'Protocol'
  /** The other end has refused what was asked for. */
  | 'Refused'
  /** The other end has closed the connection. */
  | 'Ended';
