/**
 * A directory of the host where a driver mounts a file system that it serves itself, over the
 * kernel's FUSE device. Nothing native of ours is in it: root opens `/dev/fuse` and has `mount` of
 * util-linux mount it; without root `fusermount3` does both and sends the descriptor. Either is run
 * by a warden (`mount-warden.ts`), which outlives the driver and takes the mount away.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, statSync, writev, writevSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { closeDescriptor, DescriptorSocket } from 'sharedarraybuffer-polyfill';
import { assert, RpcError } from '../../../errors.ts';
import type { HostErrorCode, HostMount, HostMountOptions, HostPlace } from '../../../runtime/host-access.ts';
import { readDevice } from './device-stream.ts';
import type { MountOrder } from './mount-warden.ts';
import type { OpenThings } from './open-things.ts';

const WARDEN = new URL('./mount-warden.js', import.meta.url).pathname;
const DEVICE = '/dev/fuse';
/** How long `fusermount3` has to send the device after it has mounted. */
const RECEIVE_MS = 2000;
const RECEIVE_STEP_MS = 5;
/** The kernel does not wait for the answer any more, or the mount is gone. */
const NOT_WANTED = ['ENOENT', 'ENODEV', 'ECONNABORTED', 'EPERM', 'EBADF'];

/** Mounts at a granted directory; settles when it is mounted. */
export async function mountAt(
  { target, path }: HostPlace,
  options: HostMountOptions,
  things: OpenThings,
): Promise<HostMount> {
  checkTarget(target, path);
  const closed = things.add();
  let device: FuseDevice | undefined;
  try {
    device = process.getuid?.() === 0 ? openDevice(path) : socketForDevice(path);
    const warden = new MountWarden(orderOf(target, options), device.forWarden);
    await device.given(warden, path);
    return new NodeMount(device.take(), warden, options, closed);
  } catch (error) {
    device?.drop();
    closed();
    throw error;
  }
}

function checkTarget(target: string, path: string): void {
  const stats = statSync(target, { throwIfNoEntry: false });
  if (stats === undefined) throw refusal('NotFound', path, 'there is no such directory: make it first');
  if (!stats.isDirectory()) throw refusal('Unsupported', path, 'it is no directory');
}

function refusal(code: HostErrorCode, path: string, why: string): RpcError {
  return new RpcError(code, `mount "${path}": ${why}`);
}

function orderOf(target: string, { source, readOnly, allowOther }: HostMountOptions): MountOrder {
  const isRoot = process.getuid?.() === 0;
  const users = `user_id=${process.getuid?.() ?? 0},group_id=${process.getgid?.() ?? 0}`;
  const options = [
    'default_permissions',
    ...(readOnly ? ['ro'] : ['rw']),
    ...(allowOther ? ['allow_other'] : []),
  ];
  // `fusermount3` fills these in by itself.
  if (isRoot) options.unshift('rootmode=40000', users);
  return { by: isRoot ? 'mount' : 'fusermount3', target, source, options };
}

/** The device of a mount, before and while it is mounted. */
interface FuseDevice {
  /** The descriptor that the warden inherits; ours is closed when it has. */
  readonly forWarden: number;
  /** Settles when the file system is mounted and the device is here. */
  given(warden: MountWarden, path: string): Promise<void>;
  /** The descriptor of the device, to be closed by the caller. */
  take(): number;
  /** Closes everything. */
  drop(): void;
}

function openDevice(path: string): FuseDevice {
  let descriptor: number;
  try {
    descriptor = openSync(DEVICE, 'r+');
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), 'code');
    throw code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO'
      ? refusal(
          'Unsupported',
          path,
          `this host has no ${DEVICE}: load the kernel's module "fuse" (modprobe fuse)`,
        )
      : refusal('AccessDenied', path, `${DEVICE} cannot be opened (${String(code)})`);
  }
  return {
    forWarden: descriptor,
    given: async (warden) => warden.mounted(path),
    take: () => descriptor,
    drop: () => closeSync(descriptor),
  };
}

/** Without root: `fusermount3` opens the device and sends it. */
function socketForDevice(path: string): FuseDevice {
  let pair: ReturnType<typeof DescriptorSocket.pair>;
  try {
    pair = DescriptorSocket.pair();
  } catch {
    throw refusal('Unsupported', path, 'without root that takes the package koffi');
  }
  let device: number | undefined;
  return {
    forWarden: pair.farDescriptor,
    given: async (warden) => {
      await warden.mounted(path);
      closeDescriptor(pair.farDescriptor);
      for (let waitedMs = 0; device === undefined; waitedMs += RECEIVE_STEP_MS) {
        device = pair.near.receive()?.fd;
        if (waitedMs > RECEIVE_MS) throw refusal('InputOutput', path, 'fusermount3 has not sent the device');
        if (device === undefined) await new Promise((resolve) => setTimeout(resolve, RECEIVE_STEP_MS));
      }
      pair.near.close();
    },
    take: () => {
      assert(device !== undefined, 'the device has been received');
      return device;
    },
    drop: () => {
      if (device !== undefined) closeSync(device);
      pair.near.close();
    },
  };
}

/** The driver's end of a warden. */
class MountWarden {
  /** Settles when the warden has ended, and the mount is gone. */
  readonly gone: Promise<void>;
  readonly #line: Duplex;
  readonly #heard: ((words: string) => void)[] = [];

  constructor(order: MountOrder, device: number) {
    const warden: ChildProcess = process
      .getBuiltinModule('node:child_process')
      .spawn(process.execPath, [WARDEN, JSON.stringify(order)], {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', device],
        env: {},
        cwd: '/',
        // In a group of its own: who kills all of ginit's, leaves it to take the mount away.
        detached: true,
      });
    const line = warden.stdio[3];
    assert(line instanceof Duplex, 'the fourth of them is a pair of sockets');
    this.#line = line;
    let rest = '';
    line.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const words of lines) this.#heard.shift()?.(words);
    });
    line.on('error', () => {});
    this.gone = new Promise((resolve) => {
      for (const event of ['close', 'error'] as const) {
        warden.on(event, () => {
          for (const hear of this.#heard.splice(0)) hear('failed "the warden of the mount has ended"');
          resolve();
        });
      }
    });
  }

  async mounted(path: string): Promise<void> {
    const words = await this.#next();
    if (words === 'mounted') return;
    const why: unknown = JSON.parse(words.slice('failed '.length));
    this.leave();
    throw refusal('AccessDenied', path, whyNot(String(why)));
  }

  /** Asks for the mount to be taken away in order; false while somebody uses it. */
  async unmount(): Promise<boolean> {
    this.#line.write('unmount\n');
    return (await this.#next()) === 'unmounted';
  }

  /** Leaves the warden, which takes the mount away by force. */
  leave(): void {
    this.#line.destroy();
  }

  #next(): Promise<string> {
    return new Promise((resolve) => this.#heard.push(resolve));
  }
}

/** What a program has said, and what is to be done about it. */
function whyNot(words: string): string {
  if (words.includes('user_allow_other'))
    return `${words} (add the line "user_allow_other" to /etc/fuse.conf, or leave out allow_other)`;
  if (words.includes('ENOENT'))
    return `${words} (install fusermount3, of the package fuse3, or run ginit as root)`;
  return words;
}

/** A mount that is being served. */
class NodeMount implements HostMount {
  readonly ended: Promise<void>;
  readonly #descriptor: number;
  readonly #warden: MountWarden;
  readonly #messageBytesMax: number;
  readonly #tellEnded: () => void;
  #closeDevice: (() => void) | undefined;
  #open = true;

  constructor(descriptor: number, warden: MountWarden, options: HostMountOptions, closed: () => void) {
    this.#descriptor = descriptor;
    this.#warden = warden;
    this.#messageBytesMax = options.requestBytesMax;
    let tell: () => void = () => {};
    this.ended = new Promise((resolve) => (tell = resolve));
    this.#tellEnded = () => {
      this.#open = false;
      tell();
    };
    void warden.gone.then(closed);
  }

  serve(take: (request: Uint8Array) => void): void {
    assert(this.#closeDevice === undefined, 'a mount is served once');
    this.#closeDevice = readDevice(this.#descriptor, {
      messageBytesMax: this.#messageBytesMax,
      take,
      ended: this.#tellEnded,
    });
  }

  answer(parts: readonly Uint8Array[]): boolean {
    if (!this.#open) return false;
    try {
      writevSync(this.#descriptor, parts);
      return true;
    } catch (error) {
      if (NOT_WANTED.includes(String(Reflect.get(Object(error), 'code')))) return false;
      throw error;
    }
  }

  notify(parts: readonly Uint8Array[]): Promise<boolean> {
    return new Promise((resolve) => {
      if (!this.#open) resolve(false);
      else writev(this.#descriptor, parts, (error) => resolve(error === null));
    });
  }

  unmount(): Promise<boolean> {
    return this.#warden.unmount();
  }

  async close(): Promise<void> {
    this.#warden.leave();
    await this.#warden.gone;
    if (this.#closeDevice === undefined) closeSync(this.#descriptor);
    else this.#closeDevice();
    this.#tellEnded();
  }
}
