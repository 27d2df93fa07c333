/**
 * Writes, reads, trims and zeroes random sectors of its Block session for a while, many requests at
 * a time, and compares what it reads with what it has written. Each lane has sectors of its own, so
 * it is certain what has to be there, but for sectors whose last change has failed. Then it
 * compares the whole device. Every line that it logs is a JSON object.
 */
import { component, RpcError } from '@ginit/core';
import { Block, BlockClient } from '@ginit/core/block';
import { randomFor } from '../plan/random.mjs';
import { compare, fill, SECTOR_BYTES, UNKNOWN, ZEROS } from './sectors.mjs';

const CHUNK_SECTORS = 64;
const TELL_EVERY_MS = 5000;
/** How often a read of the last comparison is tried, through a device that fails at times. */
const TRIES = 100;
const WRONG_TOLD_MAX = 20;

/** What the lanes have done. */
const tally = { requests: 0, failed: 0, compared: 0, wrong: [] };

/** Compares what was read with what was written. */
function judge(bytes, sector, versions) {
  const { compared, wrong } = compare(bytes, sector, versions);
  tally.compared += compared;
  tally.wrong.push(...wrong.slice(0, WRONG_TOLD_MAX - tally.wrong.length));
}

/** True if it is done; false if the device has failed it, as the config says it may. */
async function settles(work, mayFail) {
  tally.requests++;
  try {
    await work;
    return true;
  } catch (error) {
    if (!mayFail || !(error instanceof RpcError)) throw error;
    tally.failed++;
    return false;
  }
}

/** One request at a time to the sectors from `first` on, until `until`. */
async function lane({ env, device, versions, first, count, random, until, mayFail }) {
  const scale = device.info.blockSize / SECTOR_BYTES;
  for (let round = 1; (await env.timer.currentTimeMs()) < until; ) {
    for (let step = 0; step < 64; step++, round++) {
      const blocks = random.between(1, Math.max(1, CHUNK_SECTORS / scale));
      const at = Math.floor(first / scale) + random.below(Math.floor(count / scale) - blocks + 1);
      const [sector, sectors] = [at * scale, blocks * scale];
      const bytes = new Uint8Array(sectors * SECTOR_BYTES);
      const know = (version) => versions.fill(version, sector, sector + sectors);
      const kind = random.below(20);
      if (kind < 8) {
        if (await settles(device.read(at, blocks, bytes), mayFail)) judge(bytes, sector, versions);
      } else if (kind < 16) {
        const version = (round % 0xfffffff0) + 1;
        fill(bytes, sector, version);
        know(UNKNOWN);
        if (await settles(device.write(at, blocks, bytes), mayFail)) know(version);
      } else if (kind < 17) {
        know(UNKNOWN);
        if (await settles(device.writeZeroes(at, blocks), mayFail)) know(ZEROS);
      } else if (kind < 18) {
        know(UNKNOWN);
        await settles(device.trim(at, blocks), mayFail);
      } else {
        await settles(device.sync(), mayFail);
      }
    }
  }
}

export default component({ requires: [Block] }, async (env) => {
  const value = (name) => env.config.node.value(name);
  const mayFail = value('may_fail') === 'yes';
  const lanes = Number(value('lanes'));
  const device = await BlockClient.connect(env, { args: { tx_buf_size: 4 * 1024 * 1024 } });
  const sectors = (device.info.blockCount * device.info.blockSize) / SECTOR_BYTES;
  const versions = new Uint32Array(sectors).fill(UNKNOWN);
  const tell = (more = {}) => env.log(JSON.stringify({ ...tally, ...more }));
  await tell({ phase: 'begins' });
  const ticking = env.timer.every(TELL_EVERY_MS, () => void tell());
  const until = (await env.timer.currentTimeMs()) + Number(value('seconds')) * 1000;
  const count = Math.floor(sectors / lanes / 128) * 128;
  await Promise.all(
    Array.from({ length: lanes }, (_, index) =>
      lane({
        env,
        device,
        versions,
        first: index * count,
        count,
        random: randomFor(value('seed'), index),
        until,
        mayFail,
      }),
    ),
  );
  const perRead = 256;
  const bytes = new Uint8Array(perRead * device.info.blockSize);
  for (let at = 0; at < device.info.blockCount; at += perRead) {
    const blocks = Math.min(perRead, device.info.blockCount - at);
    const part = bytes.subarray(0, blocks * device.info.blockSize);
    let tries = 0;
    while (!(await settles(device.read(at, blocks, part), mayFail))) {
      if (++tries === TRIES) throw new Error(`blocks from ${at} on cannot be read`);
    }
    judge(part, (at * device.info.blockSize) / SECTOR_BYTES, versions);
  }
  ticking();
  await settles(device.sync(), mayFail);
  await device.close();
  await tell({ phase: 'done' });
});
