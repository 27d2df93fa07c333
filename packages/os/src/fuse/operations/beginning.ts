/** INIT: what the kernel and we can both do. */
import { INIT_FLAG, MINOR_MIN, VERSION } from '../protocol/constants.ts';
import { Message } from '../protocol/message.ts';
import type { Request } from '../protocol/request.ts';

const PAGE_BYTES = 4096;
/** Requests in the background, such as read-ahead, that the kernel has under way at a time. */
const BACKGROUND_MAX = 64;
const CONGESTION = 48;
/** Times have milliseconds. */
const TIME_GRANULARITY_NS = 1_000_000;
const ANSWER_BYTES = 64;
const MESSAGE_BYTES_MIN = 8192;

/** The most that one READ or WRITE carries. */
export const TRANSFER_BYTES_MAX = 256 * 1024;
/** The longest message of the kernel: a WRITE with its header, and what it may send at least. */
export const MESSAGE_BYTES_MAX = Math.max(MESSAGE_BYTES_MIN, TRANSFER_BYTES_MAX + PAGE_BYTES);

const WANTED =
  INIT_FLAG.asyncRead |
  INIT_FLAG.atomicTruncate |
  INIT_FLAG.bigWrites |
  INIT_FLAG.readdirplus |
  INIT_FLAG.readdirplusAuto |
  INIT_FLAG.parallelDirectories |
  INIT_FLAG.maxPages |
  INIT_FLAG.cacheSymlinks |
  INIT_FLAG.explicitInvalidation;

/** The answer to INIT: its fields, or why we cannot serve this kernel. */
export function beginningAnswer(request: Request): Uint8Array | string {
  const [major, minor, readAhead, offered] = [request.u32(), request.u32(), request.u32(), request.u32()];
  if (major < VERSION.major || (major === VERSION.major && minor < MINOR_MIN))
    return `the kernel speaks version ${major}.${minor} of FUSE, which is older than 7.${MINOR_MIN}`;
  const answer = new Message(ANSWER_BYTES).u32(VERSION.major).u32(VERSION.minor);
  // A newer kernel hears that we are not, and asks again.
  if (major > VERSION.major) return answer.bytes;
  answer
    .u32(readAhead)
    .u32(offered & WANTED)
    .u16(BACKGROUND_MAX)
    .u16(CONGESTION);
  answer
    .u32(TRANSFER_BYTES_MAX)
    .u32(TIME_GRANULARITY_NS)
    .u16(TRANSFER_BYTES_MAX / PAGE_BYTES);
  return answer.zeros(ANSWER_BYTES - answer.length).bytes;
}
