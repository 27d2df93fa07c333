/** image_block: images in files of the host as a device, and the files behind them. */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import type { ElementSchema } from '@ginit/core/config';
import { readConfig, readXml } from '@ginit/core/config';
import { BlockClient, serveBlock } from '@ginit/core/block';
import { afterEach, describe, expect, test } from 'vitest';
import { blockStream } from '../../core/test/block-stream.ts';
import {
  type OpenNodeFileOptions,
  openNodeFile,
} from '../../core/src/platform/thread/host-access/node-file.ts';
import { support } from 'sharedarraybuffer-polyfill';
import { createQcow2 } from '../src/image/qcow2/create.ts';
import { createVdi } from '../src/image/vdi/create.ts';
import { ImageDisk } from '../src/image_block/image-disk.ts';
import { noise } from './image/disk-content.ts';
import { MemoryDevice } from './image/memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './image/qemu.ts';
import { codeOf } from './system-client.ts';

const MIB = 1024 * 1024;

/** A directory with images, and devices of them. */
class Disks implements AsyncDisposable {
  readonly place = new ImagePlace();
  readonly log: string[] = [];
  /** The files that were opened, with their access. */
  readonly opened: string[] = [];
  readonly #open = new Set<ImageDisk>();
  #update: (() => void | Promise<void>) | undefined;
  #xml = '';

  async [Symbol.asyncDispose](): Promise<void> {
    for (const disk of this.#open) await disk.close();
    this.place[Symbol.dispose]();
  }

  async qcow2(name: string, sizeBytes: number, backing?: { name: string; format: string }): Promise<void> {
    const device = new MemoryDevice();
    await createQcow2(device, { sizeBytes, ...(backing ? { backing } : {}) });
    this.place.write(name, device.content());
  }

  /** Opens the device of a config, with grants of these files. */
  async open(xml: string, grants: readonly string[]): Promise<ImageDisk> {
    this.#xml = xml;
    const read = (schema: ElementSchema): unknown => readConfig(readXml(this.#xml, 'config.xml'), schema);
    const tell = async (text: string): Promise<void> => void this.log.push(text);
    const env: unknown = {
      config: { read, onUpdate: (handler: () => Promise<void>) => (this.#update = handler) },
      host: {
        grants: grants.map((path) => ({ kind: 'file', path })),
        openFile: (path: string, access: 'ro' | 'rw', options: OpenNodeFileOptions) => {
          this.opened.push(`${path} ${access}`);
          return openNodeFile(this.place.path(path), path, access, options);
        },
      },
      log: tell,
      warning: tell,
      error: tell,
    };
    // The members of `env` that the component uses.
    const disk = await ImageDisk.open(env as Parameters<typeof ImageDisk.open>[0]);
    this.#open.add(disk);
    return disk;
  }

  async reconfigure(xml: string): Promise<void> {
    this.#xml = xml;
    await this.#update?.();
  }

  async close(disk: ImageDisk): Promise<void> {
    this.#open.delete(disk);
    await disk.close();
  }

  /** The space that a file takes. */
  spaceOf(name: string): number {
    return statSync(this.place.path(name)).blocks * 512;
  }
}

async function clientOf(disk: ImageDisk): Promise<BlockClient> {
  const { source, sink } = blockStream(true);
  const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, disk);
  return new BlockClient(source, await session.info());
}

let disks: Disks;
const start = (): Disks => (disks = new Disks());
afterEach(() => disks[Symbol.asyncDispose]());

describe('images behind an image', () => {
  test('a name in an image leads to a granted file beside it, which is only read', async () => {
    const { place } = start();
    const base = noise(new Uint8Array(MIB), 4);
    place.run('mkdir', ['images']);
    place.write('images/base.img', base);
    await disks.qcow2('images/top.qcow2', 2 * MIB, { name: './base.img', format: 'raw' });
    const disk = await disks.open('<config file="images/top.qcow2" writeable="yes"/>', [
      'images/top.qcow2',
      './images/base.img',
    ]);
    const client = await clientOf(disk);
    const bytes = noise(new Uint8Array(100 * 512), 8);
    await client.write(7, 100, bytes);
    await client.sync();
    const whole = new Uint8Array(2 * MIB);
    await client.read(0, whole.byteLength / 512, whole);
    const expected = new Uint8Array(2 * MIB);
    expected.set(base);
    expected.set(bytes, 7 * 512);
    expect(Buffer.compare(whole, expected)).toBe(0);
    await disks.close(disk);
    expect(Buffer.compare(place.read('images/base.img'), base)).toBe(0);
    expect(disks.opened).toEqual(['images/top.qcow2 rw', './images/base.img ro']);
    if (QEMU_MISSING !== undefined) return;
    expect(place.checkByQemu('images/top.qcow2', 'qcow2')).toBe('');
    expect(place.compareByQemu('images/top.qcow2', 'qcow2', expected)).toBe('');
  });

  test.each([
    ['secret.img', '<file path="secret.img"/> is granted'],
    ['/etc/passwd', '<file path="/etc/passwd"/> is granted'],
    ['../base.img', '<file path="../base.img"/> is granted'],
    ['nbd://localhost/', '<file path="nbd:/localhost"/> is granted'],
  ])('a name that no grant covers, %s, is an error that says so', async (name, text) => {
    const { place } = start();
    place.write('base.img', new Uint8Array(MIB));
    await disks.qcow2('top.qcow2', MIB, { name, format: 'raw' });
    await expect(disks.open('<config file="top.qcow2"/>', ['top.qcow2', 'base.img'])).rejects.toThrow(
      `config.xml:1:9: image "top.qcow2": it needs the image "${name}" behind it, and no ${text}`,
    );
    expect(disks.opened).toEqual(['top.qcow2 ro']);
  });

  test('the config may say what a name leads to, and its format', async () => {
    const { place } = start();
    place.write('golden', new Uint8Array(MIB).fill(6));
    await disks.qcow2('top.qcow2', MIB, { name: 'nbd://somewhere', format: 'nbd' });
    const config = `<config file="top.qcow2"> <backing name="nbd://somewhere" file="golden" format="raw"/> </config>`;
    const client = await clientOf(await disks.open(config, ['top.qcow2', 'golden']));
    const bytes = new Uint8Array(512);
    await client.read(9, 1, bytes);
    expect(bytes[0]).toBe(6);
  });

  test('an image behind itself, or one of a format that nothing says, is an error', async () => {
    start();
    await disks.qcow2('one.qcow2', MIB, { name: 'two.qcow2', format: 'qcow2' });
    await disks.qcow2('two.qcow2', MIB, { name: 'one.qcow2', format: 'qcow2' });
    await disks.qcow2('three.qcow2', MIB, { name: 'two.qcow2', format: 'parallels' });
    const grants = ['one.qcow2', 'two.qcow2', 'three.qcow2'];
    await expect(disks.open('<config file="one.qcow2"/>', grants)).rejects.toThrow(
      'image "two.qcow2": image "one.qcow2" lies behind itself',
    );
    await expect(disks.open('<config file="three.qcow2"/>', grants)).rejects.toThrow(
      'cannot be opened, because its format is "parallels": a <backing name="two.qcow2" format="…"/> can tell',
    );
  });
});

describe('the format', () => {
  test('is what the config says: a header that a guest has written on a raw disk means nothing', async () => {
    const { place } = start();
    place.write('guest.img', new Uint8Array(MIB));
    place.write('secret.img', new Uint8Array(MIB).fill(66));
    await disks.qcow2('header.qcow2', MIB, { name: 'secret.img', format: 'raw' });
    const header = place.read('header.qcow2');
    const grants = ['guest.img', 'secret.img'];
    const config = '<config file="guest.img" writeable="yes"/>';
    const first = await disks.open(config, grants);
    const guest = await clientOf(first);
    await guest.write(0, header.byteLength / 512, header);
    await guest.sync();
    await disks.close(first);
    const again = await clientOf(await disks.open(config, grants));
    expect(again.info.blockCount).toBe(MIB / 512);
    const bytes = new Uint8Array(header.byteLength);
    await again.read(0, header.byteLength / 512, bytes);
    expect(Buffer.compare(bytes, header)).toBe(0);
    expect(disks.opened).toEqual(['guest.img rw', 'guest.img rw']);
  });

  test('that neither the config nor the name says is an error', async () => {
    const { place } = start();
    place.write('disk', new Uint8Array(MIB));
    await expect(disks.open('<config file="disk"/>', ['disk'])).rejects.toThrow(
      'config.xml:1:9: the name of "disk" says no format, so an attribute "format" must',
    );
    expect((await disks.open('<config file="disk" format="raw"/>', ['disk'])).info.blockCount).toBe(2048);
  });
});

describe('a disk that grows', () => {
  test.each(['raw', 'qcow2', 'vdi'])(
    '%s: by a live config, while it is used; clients hear of it',
    async (format) => {
      const { place } = start();
      const file = `disk.${format}`;
      if (format === 'raw') place.write(file, new Uint8Array(MIB));
      if (format === 'qcow2') await disks.qcow2(file, MIB);
      if (format === 'vdi') {
        const device = new MemoryDevice();
        await createVdi(device, { sizeBytes: MIB, uuid: noise(new Uint8Array(16), 5) });
        place.write(file, device.content());
      }
      const config = (size: string): string => `<config file="${file}" writeable="yes" ${size}/>`;
      const disk = await disks.open(config(''), [file]);
      const client = await clientOf(disk);
      const told = new Promise<void>((resolve) => client.onInfoChanged(resolve));
      const writes = Array.from({ length: 20 }, (_, at) =>
        client.write(at * 8, 8, new Uint8Array(4096).fill(at)),
      );
      await disks.reconfigure(config('size="3M"'));
      await Promise.all(writes);
      await told;
      expect(client.info.blockCount).toBe((3 * MIB) / 512);
      await client.write((3 * MIB) / 512 - 1, 1, new Uint8Array(512).fill(99));
      await disks.reconfigure(config('size="2M"'));
      await disks.close(disk);
      expect(disks.log).toEqual([
        'the disk has 3145728 bytes now',
        'the disk is not made smaller than its 3145728 bytes while it is used',
      ]);
      const again = await clientOf(await disks.open(config('size="3M"'), [file]));
      const bytes = new Uint8Array(512);
      await again.read(8 * 19, 1, bytes);
      expect(bytes[0]).toBe(19);
      await again.read((3 * MIB) / 512 - 1, 1, bytes);
      expect(bytes[0]).toBe(99);
    },
  );

  test('a raw image grows when somebody makes its file longer', async () => {
    const { place } = start();
    place.write('disk.img', new Uint8Array(MIB));
    const client = await clientOf(await disks.open('<config file="disk.img"/>', ['disk.img']));
    const told = new Promise<void>((resolve) => client.onInfoChanged(resolve));
    truncateSync(place.path('disk.img'), 2 * MIB);
    await told;
    expect(client.info.blockCount).toBe((2 * MIB) / 512);
  });
});

const LOCKS = process.platform === 'linux' && support().shared;

test.skipIf(!LOCKS)(
  'an image that is read, also one behind another, is kept from writers, and several may read it (on Linux with koffi)',
  async () => {
    const { place } = start();
    place.write('base.img', new Uint8Array(MIB).fill(6));
    const grants = ['base.img', 'top.qcow2', 'other.qcow2'];
    for (const name of ['top.qcow2', 'other.qcow2'])
      await disks.qcow2(name, MIB, { name: 'base.img', format: 'raw' });
    const top = await disks.open('<config file="top.qcow2" writeable="yes"/>', grants);
    const other = await disks.open('<config file="other.qcow2"/>', grants);
    const inUse = (file: string): string => `config.xml:1:9: file "${file}" is in use by `;
    for (const file of ['base.img', 'other.qcow2'])
      await expect(disks.open(`<config file="${file}" writeable="yes"/>`, grants)).rejects.toThrow(
        inUse(file),
      );
    await expect(disks.open('<config file="top.qcow2"/>', grants)).rejects.toThrow(inUse('top.qcow2'));
    await disks.open('<config file="other.qcow2"/>', grants);
    for (const disk of [top, other]) await disks.close(disk);
    await disks.open('<config file="top.qcow2"/>', grants);
  },
);

const HOLES = process.platform === 'linux' && support().shared;

test.skipIf(!HOLES)(
  'what clients trim gives space of the file back to the host (on Linux with koffi)',
  async () => {
    const { place } = start();
    place.write('raw.img', new Uint8Array(8 * MIB));
    await disks.qcow2('disk.qcow2', 8 * MIB);
    for (const file of ['raw.img', 'disk.qcow2']) {
      const disk = await disks.open(`<config file="${file}" writeable="yes"/>`, [file]);
      const client = await clientOf(disk);
      const blocks = (8 * MIB) / 512;
      const bytes = noise(new Uint8Array(MIB), 3);
      for (let at = 0; at < blocks; at += 2048) await client.write(at, 2048, bytes);
      await client.sync();
      expect(disks.spaceOf(file)).toBeGreaterThanOrEqual(8 * MIB);
      await client.trim(0, blocks - 2048);
      await client.sync();
      expect(disks.spaceOf(file)).toBeLessThan(2 * MIB);
      await client.read(blocks - 2048, 2048, bytes.fill(0));
      expect(Buffer.compare(bytes, noise(new Uint8Array(MIB), 3))).toBe(0);
      await disks.close(disk);
    }
  },
);

test('a damaged table fails the requests that need it, with its place in the log', async () => {
  const { place } = start();
  await disks.qcow2('disk.qcow2', MIB);
  const disk = await disks.open('<config file="disk.qcow2" writeable="yes"/>', ['disk.qcow2']);
  await (await clientOf(disk)).write(0, 1, new Uint8Array(512).fill(1));
  await disks.close(disk);
  const bytes = place.read('disk.qcow2');
  const view = new DataView(bytes.buffer);
  const table = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0xff_ffff_ffff_fe00n);
  view.setBigUint64(table, 0x8000_0000_0000_0200n);
  place.write('disk.qcow2', bytes);
  const client = await clientOf(await disks.open('<config file="disk.qcow2"/>', ['disk.qcow2']));
  expect(await codeOf(client.read(0, 1, new Uint8Array(512)))).toBe('InputOutput');
  expect(await codeOf(client.read(1024, 1, new Uint8Array(512)))).toBe('succeeded');
  expect(await codeOf(client.write(0, 1, new Uint8Array(512)))).toBe('ReadOnly');
  expect(disks.log).toEqual([
    `read of 1 blocks from 0 on: byte ${table}: an L2 entry leads to 512, where no cluster begins`,
  ]);
});

test('a disk that is larger than the config says keeps its size, with a warning', async () => {
  const { place } = start();
  place.write('raw.img', new Uint8Array(MIB));
  const disk = await disks.open('<config file="raw.img" size="4K"/>', []);
  expect(disk.info.blockCount).toBe(MIB / 512);
  expect(disks.log).toEqual([
    'the disk keeps its 1048576 bytes, more than "size" says: only "ginit image resize" makes it smaller',
  ]);
  await disks.close(disk);
});

test.each([
  ['file="none.qcow2"', 'config.xml:1:9: file "none.qcow2": NotFound (ENOENT)'],
  ['file="raw.img" format="qcow2"', 'config.xml:1:9: image "raw.img": byte 0: this is no qcow2 image'],
  ['file="raw.img" format="vdi"', 'config.xml:1:9: image "raw.img": byte 64: this is no VDI image'],
  ['file="raw.img" format="vmdk"', 'config.xml:1:9: image "raw.img": byte 0: this is no VMDK image'],
  ['file="raw.img" format="vhd"', 'config.xml:1:24: '],
  ['file="raw.vmdk" writeable="yes"', 'VMDK images are only read'],
  ['file="raw.img" block_size="1000"', 'config.xml:1:24: block_size is 1000, which is no power of two'],
  ['file="empty.img"', 'the disk in "empty.img" has 0 bytes, which is less than a block of 512'],
  [
    'file="raw.img" size="2M"',
    'config.xml:1:24: the disk cannot be made larger: the image is open for reading only',
  ],
])('<config %s/> is one clear error', async (attributes, message) => {
  const { place } = start();
  for (const name of ['raw.img', 'raw.vmdk']) place.write(name, new Uint8Array(MIB));
  writeFileSync(place.path('empty.img'), '');
  await expect(disks.open(`<config ${attributes}/>`, [])).rejects.toThrow(message);
  expect(readFileSync(place.path('raw.img')).byteLength).toBe(MIB);
});
