/**
 * Reads, writes and syncs blocks of a session without checking what it reads: `rounds` requests,
 * `depth` at a time, on the first `blocks` blocks. If its server is gone, it waits for it for a
 * while.
 */
import { component } from '@ginit/core';
import { attribute, element } from '@ginit/core/config';
import { Block, BlockClient } from '@ginit/core/block';

const number = (what, fallback) => attribute.integer(what, { min: 1, max: 1_000_000, fallback });
const CONFIG = element('config', 'A client that does not look', {
  attributes: {
    rounds: number('Requests', 100),
    depth: number('Requests under way at a time', 4),
    blocks: number('Blocks that are used', 8),
    salt: number('Makes what it does, and writes, its own', 1),
    label: attribute.text('Of its session', { fallback: '' }),
    trims: attribute.boolean('Whether it trims and writes zeros as well', { fallback: false }),
  },
});

/** Random numbers that do not depend on the seed: mistakes must be found whatever these are. */
function numbers(salt) {
  let state = salt;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

async function connected(env, label) {
  for (let attempts = 0; attempts < 40; attempts++) {
    try {
      return await BlockClient.connect(env, { label });
    } catch {
      await env.timer.sleep(50);
    }
  }
  return undefined;
}

export default component({ requires: [Block], config: CONFIG }, async (env) => {
  const { blocks, depth, label, rounds, salt, trims } = env.config.read(CONFIG);
  const below = numbers(salt);
  let left = rounds;
  let stamp = salt * 1_000_000;
  const lane = async (disk) => {
    while (left-- > 0) {
      const block = below(blocks);
      const count = 1 + below(Math.min(3, blocks - block));
      const bytes = new Uint8Array(count * disk.info.blockSize);
      const what = below(20);
      if (what === 0) await disk.sync();
      else if (what === 1 && trims) await disk.trim(block, count);
      else if (what === 2 && trims) await disk.writeZeroes(block, count);
      else if (what < 12) await disk.read(block, count, bytes);
      else {
        new DataView(bytes.buffer).setUint32(bytes.length - 4, ++stamp);
        bytes[0] = stamp;
        await disk.write(block, count, bytes);
      }
    }
  };
  for (
    let disk = await connected(env, label);
    disk;
    disk = left > 0 ? await connected(env, label) : undefined
  ) {
    const session = disk;
    const lanes = Array.from({ length: depth }, () => lane(session));
    const ends = await Promise.allSettled(lanes);
    await disk.close().catch(() => {});
    if (ends.some(({ status }) => status === 'rejected')) await env.timer.sleep(20);
  }
  env.exit(0);
});
