/**
 * A block device over a file of the host, with 512-byte blocks, that is wrong in a way its config
 * picks: `stale` (a block reads for ever as it did first), `swapped` (of two writes to a block the
 * first is carried out last), `unsynced` (a SYNC is acknowledged and not done), `torn` (writes are
 * carried out after the SYNC that should cover them), `garbage` (a block that was read ten times
 * reads as something else). Without any it is right.
 */
import { component } from '@ginit/core';
import { attribute, element } from '@ginit/core/config';
import { Block, serveBlock, writeZeroesByWriting } from '@ginit/core/block';

const FAULTS = ['none', 'stale', 'swapped', 'unsynced', 'torn', 'garbage'];
const BLOCK = 512;

const CONFIG = element('config', 'A block device that is wrong', {
  attributes: {
    file: attribute.text('Its file', { required: true }),
    fault: attribute.oneOf('How', FAULTS, { fallback: 'none' }),
  },
});

class LyingDisk {
  constructor(file, fault) {
    this.file = file;
    this.fault = fault;
    this.seen = new Map();
    this.reads = new Map();
    this.late = [];
    this.syncs = Promise.resolve();
    this.info = { blockSize: BLOCK, blockCount: file.sizeBytes / BLOCK, alignLog2: 12, writeable: true };
  }

  async read(block, count, into) {
    if (this.fault === 'stale' && this.seen.has(block)) return into.set(this.seen.get(block));
    const late = [...this.late];
    await this.file.read(into, block * BLOCK);
    if (this.fault === 'stale') this.seen.set(block, into.slice());
    this.reads.set(block, (this.reads.get(block) ?? 0) + 1);
    if (this.fault === 'garbage' && this.reads.get(block) > 10) into[0] ^= 0xff;
    for (const { at, bytes } of late) {
      for (let index = 0; index < count; index++) {
        const from = (block + index - at) * BLOCK;
        if (from >= 0 && from < bytes.length) into.set(bytes.subarray(from, from + BLOCK), index * BLOCK);
      }
    }
  }

  async write(block, count, from) {
    const bytes = from.slice();
    if (this.fault === 'torn') return void this.late.push({ at: block, bytes });
    if (this.fault === 'swapped' && this.last?.at === block) {
      await this.file.write(bytes, block * BLOCK);
      return this.file.write(this.last.bytes, block * BLOCK);
    }
    this.last = { at: block, bytes };
    await this.file.write(bytes, block * BLOCK);
  }

  async sync() {
    if (this.fault === 'unsynced') return;
    this.syncs = this.syncs.then(() => this.syncFile());
    await this.syncs;
  }

  async syncFile() {
    await this.file.sync();
    for (; this.late.length > 0; this.late.shift()) {
      const [{ at, bytes }] = this.late;
      await this.file.write(bytes, at * BLOCK);
    }
  }

  trim() {}

  writeZeroes(block, count) {
    return writeZeroesByWriting(this, block, count);
  }
}

export default component({ provides: [Block], host: ['file'], config: CONFIG }, async (env) => {
  const config = env.config.read(CONFIG);
  const disk = new LyingDisk(await env.host.openFile(config.file, 'rw'), config.fault);
  env.provide(Block, (session) => serveBlock(session, disk));
});
