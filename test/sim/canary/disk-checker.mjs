/**
 * Writes blocks through a cache, makes them last, and checks them: through the cache every write
 * that was answered, and on the disk itself, past the cache, every write that a SYNC has covered,
 * after any crash. Every written block carries a number of its own; a block may hold any number
 * from the last one that must be there to the last one that was tried. Exit code 9 means that a
 * block holds another number.
 */
import { component, hasCode } from '@ginit/core';
import { Block, BlockClient } from '@ginit/core/block';

const BLOCKS = 128;
const ROUNDS = 30;
const WRITES = 10;
const LOST_EXIT_CODE = 9;
const RETRY_MS = 20;
const RETRIES = 200;
/**
 * At the end everything gets the time to reach the disk, so that without a fault only writes are
 * missed that never get there.
 */
const END_MS = 2000;

/** Whether a server is gone: the one that was asked, or the one behind it. */
const isFault = (error) => ['PeerGone', 'Gone', 'InputOutput'].some((code) => hasCode(error, code));

class Model {
  /**
   * For each block: the number that was tried last, the one that was answered last, and the one
   * that a SYNC has covered.
   */
  tried = new Uint32Array(BLOCKS);
  answered = new Uint32Array(BLOCKS);
  synced = new Uint32Array(BLOCKS);
  #next = 1;

  next(block) {
    const number = this.#next++;
    this.tried[block] = number;
    return number;
  }

  /** Says what is wrong with the content of a block. */
  wrong(block, bytes, least) {
    const [number = 0, owner = 0] = new Uint32Array(bytes.buffer, 0, 2);
    if (number === 0 && least[block] === 0) return undefined;
    const right = owner === block && number >= least[block] && number <= this.tried[block];
    return right ? undefined : `block ${block} holds ${number}, not ${least[block]} to ${this.tried[block]}`;
  }
}

/** Opens a session; its server may be on its way back. */
async function connect(env, label) {
  for (let tries = 0; tries < RETRIES; tries++) {
    try {
      return await BlockClient.connect(env, { label, args: { tx_buf_size: 65_536 } });
    } catch {
      await env.timer.sleep(RETRY_MS);
    }
  }
  return undefined;
}

async function write(client, model, block) {
  const number = model.next(block);
  const bytes = new Uint8Array(client.info.blockSize);
  new Uint32Array(bytes.buffer).set([number, block]);
  await client.write(block, 1, bytes);
  model.answered[block] = Math.max(model.answered[block], number);
}

async function check(client, model, blocks, least) {
  for (const block of blocks) {
    const bytes = new Uint8Array(client.info.blockSize);
    await client.read(block, 1, bytes);
    const wrong = model.wrong(block, bytes, least);
    if (wrong) return wrong;
  }
  return undefined;
}

async function round(client, model, number) {
  const at = (index) => (number * 37 + index * 11) % BLOCKS;
  const writes = Array.from({ length: WRITES }, (_, index) => write(client, model, at(index)));
  // Again, while the first of them may be on its way to the disk; one after the other, so that the
  // last one wins.
  await Promise.all(writes);
  for (const index of [0, 1]) await write(client, model, at(index));
  if (number % 3 !== 0) return check(client, model, [at(3), (number * 13) % BLOCKS], model.answered);
  const covered = model.answered.slice();
  await client.sync();
  model.synced = covered;
  return undefined;
}

export default component({ requires: [Block] }, async (env) => {
  const model = new Model();
  const all = Array.from({ length: BLOCKS }, (_, block) => block);
  let number = 1;
  const lost = (where, what) => {
    void env.error(`${where}: ${what}`);
    env.exit(LOST_EXIT_CODE);
  };
  for (;;) {
    const cached = number <= ROUNDS ? await connect(env, 'cached') : undefined;
    try {
      for (const end = cached ? ROUNDS : 0; number <= end; number++) {
        const wrong = await round(cached, model, number);
        if (wrong) return lost('through the cache', wrong);
      }
    } catch (error) {
      if (!isFault(error)) throw error;
      // The cache is gone, and its content with it.
      model.answered = model.synced.slice();
    }
    if (number > ROUNDS) await env.timer.sleep(END_MS);
    const disk = await connect(env, 'disk');
    if (!disk) return env.exit(0);
    try {
      const wrong = await check(disk, model, all, model.synced);
      if (wrong) return lost('on the disk', wrong);
    } catch (error) {
      if (!isFault(error)) throw error;
      continue;
    }
    await disk.close().catch(() => {});
    if (!cached || number > ROUNDS) return env.exit(0);
  }
});
