import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RpcError } from '@ginit/core';
import { Listeners } from '@ginit/core/async';
import { ConfigNode, type ElementSchema, readConfig } from '@ginit/core/config';
import { BlockClient, serveBlock } from '@ginit/core/block';
import { type HostAccess, type HostFile } from '@ginit/core/host';
import { openNodeFile } from '../../core/src/platform/thread/host-access/node-file.ts';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blockStream } from '../../core/test/block-stream.ts';
import { FileDisk } from '../src/file_block/file-disk.ts';
import { codeOf } from './system-client.ts';

const SIZE = 512;

let directory = '';
const disks = new Set<FileDisk>();
const close = (disk: FileDisk): Promise<void> => {
  disks.delete(disk);
  return disk.close();
};
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-file-'));
});
afterEach(async () => {
  await Promise.all([...disks].map(close));
  rmSync(directory, { recursive: true });
});

/** A config with positions, as a parser makes it. */
function configOf(attributes: Readonly<Record<string, string>>): ConfigNode {
  const entries = Object.entries(attributes);
  return new ConfigNode('config', {
    position: { file: 'config.xml', line: 7, column: 3 },
    attributes: entries.map(([name, value], index) => [
      name,
      { value, position: { file: 'config.xml', line: 7, column: 11 + 10 * index } },
    ]),
  });
}

async function open(
  attributes: Readonly<Record<string, string>>,
  host: Pick<HostAccess, 'openFile'> = {
    openFile: (path, access) => openNodeFile(join(directory, path), path, access),
  },
): Promise<{ disk: FileDisk; log: string[] }> {
  const log: string[] = [];
  const write = async (text: string): Promise<void> => void log.push(text);
  const config = { read: (schema: ElementSchema) => readConfig(configOf(attributes), schema) };
  const env: unknown = { config, host, warning: write, error: write };
  // The three members of `env` that the driver uses.
  const disk = await FileDisk.open(env as Parameters<typeof FileDisk.open>[0]);
  disks.add(disk);
  return { disk, log };
}

async function clientOf(disk: FileDisk, shared: boolean): Promise<BlockClient> {
  const { source, sink } = blockStream(shared);
  const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, disk);
  return new BlockClient(source, await session.info());
}

describe.each([
  ['shared', true],
  ['copying', false],
])('over a %s carrier', (_, shared) => {
  test('many requests in flight read and write a real file', async () => {
    const operation = fc.record({
      write: fc.boolean(),
      block: fc.nat(200),
      count: fc.integer({ min: 1, max: 40 }),
      seed: fc.nat(255),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 50, maxLength: 300 }), async (operations) => {
        const model = new Uint8Array(241 * SIZE);
        writeFileSync(join(directory, 'disk.img'), model);
        const { disk } = await open({ file: 'disk.img', writeable: 'yes' });
        const client = await clientOf(disk, shared);
        // Operations on the same blocks are not ordered, so each takes blocks that no other one
        // under way uses.
        const busy = new Map<number, Promise<unknown>>();
        const all = operations.map(async ({ write, block, count, seed }) => {
          const blocks = Array.from({ length: count }, (__, index) => block + index);
          const before = Promise.all(blocks.map((number) => busy.get(number)));
          const work = before.then(async () => {
            const range = model.subarray(block * SIZE, (block + count) * SIZE);
            if (write) {
              range.fill(seed);
              await client.write(block, count, range.slice());
            } else {
              const expected = range.slice();
              const bytes = new Uint8Array(count * SIZE);
              await client.read(block, count, bytes);
              expect(Buffer.compare(bytes, expected)).toBe(0);
            }
          });
          for (const number of blocks) busy.set(number, work);
          await work;
        });
        await Promise.all(all);
        await client.sync();
        await close(disk);
        expect(Buffer.compare(readFileSync(join(directory, 'disk.img')), model)).toBe(0);
      }),
      { numRuns: 8 },
    );
  });
});

test('a file that shrinks under the driver gives errors, not short reads', async () => {
  writeFileSync(join(directory, 'disk.img'), new Uint8Array(10 * SIZE));
  const { disk, log } = await open({ file: 'disk.img', writeable: 'no' });
  writeFileSync(join(directory, 'disk.img'), new Uint8Array(5 * SIZE));
  await disk.read(4, 1, new Uint8Array(SIZE));
  await expect(disk.read(4, 2, new Uint8Array(2 * SIZE))).rejects.toMatchObject({ code: 'InputOutput' });
  // That the file has shrunk is told, too, when the driver sees it.
  expect(log.filter((line) => line.startsWith('read'))).toEqual([
    'read of 2 blocks from 4 on: file "disk.img" ends at byte 2560',
  ]);
});

test.each<[string, Record<string, string>, string]>([
  ['is missing', { file: 'none.img' }, 'config.xml:7:11: file "none.img": NotFound (ENOENT)'],
  [
    'is empty',
    { file: 'empty.img' },
    'config.xml:7:11: file "empty.img" has 0 bytes, which is less than a block of 512',
  ],
  ['is a directory', { file: '.' }, 'config.xml:7:11: file "." is a directory'],
  [
    'has an odd block size',
    { file: 'disk.img', block_size: '1000' },
    'config.xml:7:21: block_size is 1000, which is no power of two',
  ],
])('a file that %s gives one clear error', async (_, attributes, message) => {
  writeFileSync(join(directory, 'empty.img'), '');
  writeFileSync(join(directory, 'disk.img'), new Uint8Array(4096));
  await expect(open(attributes)).rejects.toThrow(message);
});

test('a read-only grant with a config that wants to write gives one clear error', async () => {
  const refusal = '<host> grants the file "disk.img" for reading only (access="ro")';
  const host: Pick<HostAccess, 'openFile'> = {
    openFile: () => Promise.reject(new RpcError('NotGranted', refusal)),
  };
  await expect(open({ file: 'disk.img', writeable: 'yes' }, host)).rejects.toThrow(
    `config.xml:7:11: ${refusal}`,
  );
});

test('bytes behind the last whole block are left out, with a warning', async () => {
  writeFileSync(join(directory, 'disk.img'), new Uint8Array(3 * SIZE + 17));
  const { disk, log } = await open({ file: 'disk.img' });
  expect(disk.info).toMatchObject({ blockCount: 3, writeable: false });
  expect(log).toEqual(['file "disk.img" has 1553 bytes: the last 17 are no whole block of 512 and left out']);
});

/** A file whose operations end when the test says so. */
class SteeredFile implements HostFile {
  readonly writeable = true;
  readonly sizeBytes = 100 * SIZE;
  readonly resized = new Listeners();
  readonly asked: string[] = [];
  sizeNow = 100 * SIZE;
  can = true;
  readonly pending: { what: string; end: () => void; fail: (error: Error) => void }[] = [];

  read(): Promise<void> {
    return this.#operation('read');
  }
  write(): Promise<void> {
    return this.#operation('write');
  }
  sync(): Promise<void> {
    return this.#operation('sync');
  }
  async size(): Promise<number> {
    return this.sizeNow;
  }
  onResized(handler: () => void): () => void {
    return this.resized.add(handler);
  }
  async zero(position: number, bytes: number): Promise<boolean> {
    this.asked.push(`zero ${position} ${bytes}`);
    return this.can;
  }
  async discard(position: number, bytes: number): Promise<boolean> {
    this.asked.push(`discard ${position} ${bytes}`);
    return this.can;
  }
  async resize(): Promise<void> {}
  close(): Promise<void> {
    return this.#operation('close');
  }

  #operation(what: string): Promise<void> {
    return new Promise((end, fail) => this.pending.push({ what, end, fail }));
  }
}

test('a sync that failed makes all later ones fail, so no client is told that all is well', async () => {
  const file = new SteeredFile();
  const log: string[] = [];
  const disk = new FileDisk(file, SIZE, (text) => log.push(text));
  const first = disk.sync();
  const second = disk.sync();
  file.pending[0]?.fail(new RpcError('InputOutput', 'file "disk.img": InputOutput (EIO)'));
  await expect(first).rejects.toMatchObject({ code: 'InputOutput' });
  await expect(second).rejects.toMatchObject({ code: 'InputOutput' });
  await expect(disk.sync()).rejects.toMatchObject({ code: 'InputOutput' });
  expect(file.pending.length).toBe(1);
  expect(log).toEqual(['sync of 100 blocks from 0 on: file "disk.img": InputOutput (EIO)']);
});

test('the end of the driver syncs the writes since the last SYNC, and closes the file', async () => {
  const file = new SteeredFile();
  const disk = new FileDisk(file, SIZE, () => {});
  const write = disk.write(0, 1, new Uint8Array(SIZE));
  file.pending[0]?.end();
  await write;
  const closed = disk.close();
  for (const index of [1, 2]) {
    await new Promise((done) => setImmediate(done));
    file.pending[index]?.end();
  }
  await closed;
  expect(file.pending.map(({ what }) => what)).toEqual(['write', 'sync', 'close']);
});

test('the end of the driver syncs a write that was under way during the last SYNC', async () => {
  const file = new SteeredFile();
  const disk = new FileDisk(file, SIZE, () => {});
  const write = disk.write(0, 1, new Uint8Array(SIZE));
  const sync = disk.sync();
  file.pending[1]?.end();
  await sync;
  file.pending[0]?.end();
  await write;
  const closed = disk.close();
  for (const index of [2, 3]) {
    await new Promise((done) => setImmediate(done));
    file.pending[index]?.end();
  }
  await closed;
  expect(file.pending.map(({ what }) => what)).toEqual(['write', 'sync', 'sync', 'close']);
});

test('after a sync that failed the end of the driver closes the file without another', async () => {
  const file = new SteeredFile();
  const disk = new FileDisk(file, SIZE, () => {});
  const sync = codeOf(disk.sync());
  file.pending[0]?.fail(new RpcError('InputOutput', 'file "disk.img": InputOutput (EIO)'));
  expect(await sync).toBe('InputOutput');
  const closed = disk.close();
  await new Promise((done) => setImmediate(done));
  file.pending[1]?.end();
  await closed;
  expect(file.pending.map(({ what }) => what)).toEqual(['sync', 'close']);
});

test('trimmed blocks go back to the host, and zeros are written only if the host cannot make them', async () => {
  const file = new SteeredFile();
  const disk = new FileDisk(file, SIZE, () => {});
  await disk.trim(3, 5);
  await disk.writeZeroes(10, 2);
  expect(file.asked).toEqual([`discard ${3 * SIZE} ${5 * SIZE}`, `zero ${10 * SIZE} ${2 * SIZE}`]);
  expect(file.pending).toEqual([]);
  file.can = false;
  await disk.trim(3, 5);
  const zeroes = disk.writeZeroes(10, 2);
  await new Promise((done) => setImmediate(done));
  expect(file.pending.map(({ what }) => what)).toEqual(['write']);
  file.pending[0]?.end();
  await zeroes;
});

test('the device grows with its file, and keeps its size when the file shrinks', async () => {
  const file = new SteeredFile();
  const log: string[] = [];
  const disk = new FileDisk(file, SIZE, (text) => log.push(text));
  let told = 0;
  disk.onInfoChanged(() => told++);
  const resized = async (size: number): Promise<void> => {
    file.sizeNow = size;
    file.resized.call();
    await new Promise((done) => setImmediate(done));
  };
  await resized(150 * SIZE + 17);
  expect([disk.info.blockCount, told]).toEqual([150, 1]);
  await resized(50 * SIZE);
  expect([disk.info.blockCount, told]).toEqual([150, 1]);
  expect(log).toEqual([`the file has shrunk to ${50 * SIZE} bytes: its blocks from 50 on are gone`]);
});

test('a full host is reported as such', async () => {
  const file = new SteeredFile();
  const disk = new FileDisk(file, SIZE, () => {});
  const write = disk.write(0, 1, new Uint8Array(SIZE));
  file.pending[0]?.fail(new RpcError('NoSpace', 'file "disk.img": NoSpace (ENOSPC)'));
  await expect(write).rejects.toMatchObject({ code: 'NoSpace' });
});
