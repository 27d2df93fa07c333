/** What the guests do with their disks; each figure has the name of its kind and depth. */
const SMALL_BYTES = 4096;
const LARGE_BYTES = 1024 * 1024;
const DEEP = 8;

const kind = (name, depth, { write, bytes, random }) => ({
  key: `${name}x${depth}`,
  depth,
  write,
  bytes,
  random,
});
const READ_SMALL = { write: false, bytes: SMALL_BYTES, random: true };
const WRITE_SMALL = { write: true, bytes: SMALL_BYTES, random: true };

/** All workloads, in the order in which they are run. */
export const WORKLOADS = [
  kind('read4K', 1, READ_SMALL),
  kind('read4K', DEEP, READ_SMALL),
  kind('write4K', 1, WRITE_SMALL),
  kind('write4K', DEEP, WRITE_SMALL),
  kind('read1M', 1, { write: false, bytes: LARGE_BYTES, random: false }),
  kind('write1M', 1, { write: true, bytes: LARGE_BYTES, random: false }),
];

/** The figure of so many requests in so many milliseconds: requests, or MB, in a second. */
export const figureOf = ({ bytes }, count, ms) =>
  bytes === SMALL_BYTES ? count / (ms / 1000) : (count * bytes) / 1e6 / (ms / 1000);
