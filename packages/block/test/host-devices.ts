/**
 * Devices of drivers, for systems in the test's own thread: files and images of a directory, an
 * export of an NBD server and a file of an HTTP server at the other end of a pipe.
 */
import { type Component, component } from '@ginit/core';
import type { ElementSchema } from '@ginit/core/config';
import { readConfig, readXml } from '@ginit/core/config';
import { Block, type BlockBackend, serveBlock } from '@ginit/core/block';
import { openNodeFile } from '../../core/src/platform/thread/host-access/node-file.ts';
import { FileDisk } from '../src/file_block/file-disk.ts';
import { HttpDisk } from '../src/http_block/http-disk.ts';
import { RemoteFile } from '../src/http_block/remote-file.ts';
import { ImageDisk } from '../src/image_block/image-disk.ts';
import { createQcow2 } from '../src/image/qcow2/create.ts';
import { createVdi } from '../src/image/vdi/create.ts';
import { ServerConnection } from '../src/nbd/server/server-connection.ts';
import { RemoteDisk } from '../src/nbd_block/remote-disk.ts';
import { noise } from './image/disk-content.ts';
import { MemoryDevice } from './image/memory-device.ts';
import type { ImagePlace } from './image/qemu.ts';
import { pipe, type PipeEnd } from './nbd-pipe.ts';
import { RamDevice } from './nbd-ram.ts';

const BLOCK_BYTES = 512;
const DISK_BYTES = 256 * 1024;
const CLOCK = {
  sleep: (): Promise<void> => new Promise((resolve) => setImmediate(resolve)),
  after: (): (() => void) => () => {},
  every: (): (() => void) => () => {},
};

/** A device that its component closes. */
type ClosedDevice = BlockBackend & { close(): Promise<void> };

/** A server of a device that is opened when it starts. */
function serverOf(open: () => Promise<ClosedDevice>): Component {
  return component({ provides: [Block] }, async (env) => {
    const disk = await open();
    env.onStop(() => disk.close());
    env.provide(Block, (session) => serveBlock(session, disk));
  });
}

/** The devices, by the names of their components. */
export function hostDevices(place: ImagePlace): Record<string, Component> {
  return {
    file_block: serverOf(async () => {
      place.write('disk', new Uint8Array(DISK_BYTES));
      return new FileDisk(await openNodeFile(place.path('disk'), 'disk', 'rw'), BLOCK_BYTES, () => {});
    }),
    'image_block, raw': serverOf(async () => {
      place.write('disk.img', new Uint8Array(DISK_BYTES));
      return openImage(place, 'disk.img');
    }),
    'image_block, qcow2': serverOf(async () => {
      const device = new MemoryDevice();
      const backing = { name: 'base.img', format: 'raw' };
      await createQcow2(device, { sizeBytes: DISK_BYTES, clusterBytes: 4096, backing });
      place.write('disk.qcow2', device.content());
      place.write('base.img', noise(new Uint8Array(DISK_BYTES), 6));
      return openImage(place, 'disk.qcow2');
    }),
    'image_block, vdi': serverOf(async () => {
      const device = new MemoryDevice();
      await createVdi(device, { sizeBytes: DISK_BYTES, uuid: noise(new Uint8Array(16), 3) });
      place.write('disk.vdi', device.content());
      return openImage(place, 'disk.vdi');
    }),
    nbd_block: serverOf(openNbd),
    http_block: serverOf(openHttp),
  };
}

function openImage(place: ImagePlace, file: string): Promise<ImageDisk> {
  const config = readXml(`<config file="${file}" writeable="yes"/>`, 'config.xml');
  const tell = async (): Promise<void> => {};
  const env: unknown = {
    config: { read: (schema: ElementSchema) => readConfig(config, schema), onUpdate: () => {} },
    host: {
      grants: [{ kind: 'file', path: 'base.img' }],
      openFile: (path: string, access: 'ro' | 'rw') => openNodeFile(place.path(path), path, access),
    },
    log: tell,
    warning: tell,
    error: tell,
  };
  // The members of `env` that the component uses.
  return ImageDisk.open(env as Parameters<typeof ImageDisk.open>[0]);
}

function openNbd(): Promise<RemoteDisk> {
  const device = new RamDevice(DISK_BYTES);
  const exports = [{ name: 'disk', description: '', device }];
  const link = {
    connect: async () => {
      const [client, server] = pipe([65_536, 7, 1000]);
      void new ServerConnection(server, { exports: () => exports, tls: undefined }).run().catch(() => {});
      return client;
    },
    clock: CLOCK,
    exportName: 'disk',
    tls: undefined,
    connections: 2,
    reconnectMs: 1000,
    stallMs: 1000,
    replay: true,
    tell: () => {},
  };
  const options = { blockSize: undefined, writeable: true, journalBytes: 65_536, warn: () => {} };
  return RemoteDisk.over(link, options);
}

async function openHttp(): Promise<HttpDisk> {
  const content = noise(new Uint8Array(DISK_BYTES), 11);
  const file = await RemoteFile.open({
    uri: 'http://web:80/disk.img',
    connect: async () => {
      const [client, server] = pipe([5000, 13]);
      void serveRanges(server, content);
      return client;
    },
    clock: CLOCK,
    connections: 3,
    retries: 1,
    timeoutMs: 1000,
  });
  return new HttpDisk(file, BLOCK_BYTES, 3, () => {});
}

/** A server of HTTP that knows one file, and one kind of request. */
async function serveRanges(end: PipeEnd, content: Uint8Array): Promise<void> {
  let text = '';
  for (let part = await end.read(); part; part = await end.read()) {
    text += Buffer.from(part).toString('latin1');
    for (;;) {
      const request = /^GET \S+ HTTP\/1\.1\r\n[^]*?Range: bytes=(\d+)-(\d+)\r\n[^]*?\r\n\r\n/.exec(text);
      if (!request) break;
      text = text.slice(request[0].length);
      const [, first, last] = request;
      const bytes = content.subarray(Number(first), Number(last) + 1);
      const head = [
        'HTTP/1.1 206 Partial Content',
        `Content-Range: bytes ${Number(first)}-${Number(first) + bytes.byteLength - 1}/${content.byteLength}`,
        `Content-Length: ${bytes.byteLength}`,
        'ETag: "1"',
      ];
      await end.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]));
    }
  }
}
