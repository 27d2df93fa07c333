/** `block`: requests to a file and to memory, through one, two and three components. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCommand } from '../harness/environment.mjs';
import { blockSystem, nbdSystem } from './system.mjs';
import { maskOf, SPAN_BYTES, WORKLOADS } from './workloads.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const ALL = maskOf(() => true);
const READS = maskOf(({ kind }) => kind === 'read4K');
const SMALL = maskOf(({ kind }) => kind.endsWith('4K'));
const FIO_ENGINES = ['psync', 'libaio', 'io_uring'];
/** There are many columns: after a warm-up with all of them each gets this part of one. */
const WARM_UP_PART = 1 / 5;

/** A file whose bytes are all there, not a hole. */
function makeFile(directory) {
  const file = join(directory, 'disk.img');
  if (existsSync(file)) return file;
  const descriptor = openSync(file, 'w');
  const piece = Buffer.alloc(2 ** 20, 7);
  for (let at = 0; at < SPAN_BYTES; at += piece.length) writeSync(descriptor, piece);
  closeSync(descriptor);
  spawnSync('sync');
  return file;
}

/** Why NBD cannot be measured here; undefined if it can. */
function nbdLack() {
  if (!hasCommand('fio') || !hasCommand('nbdkit')) return 'fio or nbdkit is not there';
  const { stdout } = spawnSync('fio', ['--enghelp'], { encoding: 'utf8' });
  return /\bnbd\b/.test(stdout) ? undefined : 'fio is built without NBD';
}

/** The contenders, made by what they run. */
class Contenders {
  #directory;
  #file;
  #settings;
  #quick;

  constructor(directory, settings, quick) {
    this.#directory = directory;
    this.#file = makeFile(directory);
    const { warmUpMs } = settings;
    this.#settings = { ...settings, firstWarmUpMs: warmUpMs, warmUpMs: warmUpMs * WARM_UP_PART };
    this.#quick = quick;
  }

  ginit(id, label, place, { workloads = ALL, ...system }) {
    const settings = { ...this.#settings, workloads };
    const command = blockSystem(this.#directory, {
      isolation: 'thread',
      file: this.#file,
      ...system,
      settings,
    });
    return { id, label: `ginit, ${label}`, place, command };
  }

  node(id, place, threads, workloads = ALL) {
    const settings = JSON.stringify({ ...this.#settings, workloads });
    const node = [process.execPath, path('./node-fs.mjs'), this.#file, settings];
    const command = ['env', `UV_THREADPOOL_SIZE=${threads}`, ...node];
    return { id, label: `Node's fs, ${threads} threads of the pool`, place, command };
  }

  fio(engine, place) {
    const runMs = this.#quick ? 50 : 500;
    const settings = JSON.stringify({ engine, workloads: ALL, runMs });
    const command = [process.execPath, path('./fio.mjs'), this.#file, settings];
    const skipped = hasCommand('fio') ? undefined : 'fio is not there';
    return { id: `fio-${engine}`, label: `fio, ${engine}`, place, command, skipped };
  }

  /** fio over NBD: from ginit's nbd_server, or from nbdkit. */
  nbd(id, label, place) {
    const socket = join(this.#directory, `${id}.sock`);
    const ours = id === 'nbd';
    const server = ours
      ? nbdSystem(this.#directory, this.#file, socket)
      : ['nbdkit', '--foreground', '--unix', socket, 'file', this.#file];
    const uri = `nbd+unix:///${ours ? 'disk' : ''}?socket=${socket}`;
    const settings = JSON.stringify({ engine: 'nbd', workloads: SMALL, runMs: this.#quick ? 50 : 500 });
    const command = [process.execPath, path('./nbd.mjs'), socket, uri, settings, ...server];
    return { id, label, place, command, skipped: nbdLack() };
  }
}

function contenders({ directory, places, settings, quick }) {
  const { one, free } = places;
  const make = new Contenders(directory, settings, quick);
  const chain = (isolation, passes, place, suffix = '') =>
    make.ginit(
      `file-${isolation}-${passes + 1}${suffix}`,
      `file_block, ${passes + 1} components, ${isolation}`,
      place,
      { device: 'file', passes, isolation },
    );
  return [
    ...['thread', 'process'].flatMap((isolation) =>
      (quick ? [0, 1] : [0, 1, 2]).map((passes) => chain(isolation, passes, free)),
    ),
    chain('thread', 0, one, '-one'),
    make.ginit('file-pool', 'file_block by the pool only, 1 component, thread', free, {
      device: 'file',
      io: 'pool',
    }),
    make.node('node', free, 4),
    make.node('node-one', one, 4),
    make.node('node-wide', free, 64),
    // One shows that it works.
    ...FIO_ENGINES.slice(0, quick ? 1 : undefined).map((engine) => make.fio(engine, free)),
    make.nbd('nbd', 'ginit, nbd_server over file_block, to fio', free ?? one),
    make.nbd('nbdkit', 'nbdkit, file plugin, to fio', free ?? one),
    make.ginit('ram-free', 'ram_block', free, { device: 'ram', workloads: READS }),
    make.ginit('ram', 'ram_block', one, { device: 'ram', workloads: SMALL }),
    make.ginit('ram-pass', 'ram_block through an interposer', one, {
      device: 'ram',
      passes: 1,
      workloads: SMALL,
    }),
    make.ginit('ram-partition', 'ram_block through part_block', one, {
      device: 'ram',
      partition: true,
      workloads: SMALL,
    }),
  ];
}

const worst = (...values) => Math.min(...values.filter(Number.isFinite));
const DEEP_READS = ['read4Kx8', 'read4Kx64'];

export const block = {
  name: 'block',
  title: 'requests to a file in the cache of the host and to memory, 1, 8 and 64 at a time',
  columns: Object.fromEntries(
    WORKLOADS.map(({ key, kind, depth }) => [
      key,
      `${kind.replace(/(\d)/, ' $1')} at ${depth}, ${kind.endsWith('4K') ? '1/s' : 'MB/s'}`,
    ]),
  ),
  contenders,
  figures: (median) => {
    const us = (id) => 1e6 / median(id, 'read4Kx64');
    const rows = ['file-thread-1', 'file-thread-2', 'file-thread-3', 'file-process-1', 'file-pool', 'node'];
    return {
      ramBlockIops: Math.max(median('ram', 'read4Kx64'), median('ram-free', 'read4Kx64') || 0),
      /** What one more component costs a request of 4 KiB, of the time of one CPU. */
      interposerUs: us('ram-pass') - us('ram'),
      ...Object.fromEntries(rows.map((id) => [`${id}Iops`, median(id, 'read4Kx64')])),
      /** The same requests through the ring and through libuv's pool. */
      ringVsPool: median('file-thread-1', 'read4Kx64') / median('file-pool', 'read4Kx64'),
    };
  },
  ratios: (median) => {
    const against = (id, peer, keys) => worst(...keys.map((key) => median(id, key) / median(peer, key)));
    const none = ['read4Kx64', 'write4Kx64', 'read4Kx8', 'write4Kx8'];
    return {
      chainVsNodeFs: against('file-thread-1-one', 'node-one', DEEP_READS),
      chainTwoCoresVsNodeFs: worst(
        against('file-thread-1', 'node', DEEP_READS),
        against('file-thread-1', 'node-wide', DEEP_READS),
      ),
      nbdVsNbdkit: against('nbd', 'nbdkit', ['read4Kx64', 'write4Kx64']),
      partitionVsNone: against('ram-partition', 'ram', none),
    };
  },
  /** There is no aim for nbdVsNbdkit: nbdkit is C. */
  aims: { chainVsNodeFs: 0.9, chainTwoCoresVsNodeFs: 1.5, partitionVsNone: 1 },
};
