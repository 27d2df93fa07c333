/** The component `fuse` with a kernel that the test plays, message by message. */
import type { HostMount, HostMountOptions } from '@ginit/core/host';
import { FileSystem, FileSystemServerSession } from '@ginit/core/file_system';
import { runComponent, script } from '@ginit/core/testing';
import { expect, test } from 'vitest';
import { type MemoryFaults, MemoryFileSystem } from '../../core/test/file-system-memory.ts';
import fuse from '../src/fuse/main.ts';
import { Message } from '../src/fuse/protocol/message.ts';
import { OPCODE, ROOT_ID } from '../src/fuse/protocol/constants.ts';

const EIO = 5;
const EINTR = 4;
const ENOSYS = 38;
const HEADER_BYTES = 40;

/** The kernel's end of a mount. */
class PlayedKernel implements HostMount {
  readonly notices: Uint8Array[] = [];
  options: HostMountOptions | undefined;
  /** Whether the kernel still wants answers. */
  wants = true;
  #take: (request: Uint8Array) => void = () => {};
  #unique = 1;
  readonly #waiting = new Map<number, (answer: { error: number; body: DataView }) => void>();
  #end: () => void = () => {};
  readonly ended = new Promise<void>((resolve) => (this.#end = resolve));

  serve(take: (request: Uint8Array) => void): void {
    this.#take = take;
  }

  answer(parts: readonly Uint8Array[]): boolean {
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(0, true)).toBe(bytes.length);
    this.#waiting.get(view.getUint32(8, true))?.({
      error: Math.abs(view.getInt32(4, true)),
      body: new DataView(bytes.buffer, 16),
    });
    return this.wants;
  }

  async notify(parts: readonly Uint8Array[]): Promise<boolean> {
    for (const part of parts) this.notices.push(part.slice());
    return true;
  }

  async unmount(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#end();
  }

  send(message: Uint8Array): void {
    this.#take(message);
    // The memory of a message is used again.
    message.fill(0xee);
  }

  /** Sends a request; the result has the number by which it is interrupted. */
  request(
    opcode: number,
    node: number,
    body = new Message(0),
  ): { unique: number; answer: Promise<{ error: number; body: DataView }> } {
    const unique = this.#unique++;
    const message = new Message(HEADER_BYTES + body.length)
      .u32(HEADER_BYTES + body.length)
      .u32(opcode)
      .u64(unique)
      .u64(node)
      .u32(7)
      .u32(8)
      .u64(0)
      .raw(body.bytes);
    const answer = new Promise<{ error: number; body: DataView }>((resolve) =>
      this.#waiting.set(unique, resolve),
    );
    this.send(message.bytes.slice());
    return { unique, answer };
  }

  async ask(opcode: number, node: number, body?: Message): Promise<{ error: number; body: DataView }> {
    return this.request(opcode, node, body).answer;
  }
}

const named = (name: string, before = new Message(0)): Message =>
  before.raw(new TextEncoder().encode(`${name}\0`));

function start(faults: MemoryFaults = {}, config: object = {}) {
  const kernel = new PlayedKernel();
  const files = new MemoryFileSystem({ faults });
  const none = (): never => expect.unreachable();
  const run = runComponent(fuse, {
    config: { mount: 'm', ...config },
    services: [
      script(FileSystem, (session) => {
        files.hold(files.root);
        const options = { backend: files, root: files.root, writeable: true, handlesMax: 4096 };
        const server = new FileSystemServerSession({ ...options, report: () => {} });
        void session.streams.tx.then((sink) => server.attach(sink));
        return server;
      }),
    ],
    host: {
      grants: [{ kind: 'mount', path: 'm', access: 'rw' }],
      platform: {
        openFile: none,
        openDirectory: none,
        openDevice: none,
        connect: none,
        run: none,
        workplace: none,
        listen: none,
        mount: async (_, options) => {
          kernel.options = options;
          return kernel;
        },
      },
    },
  });
  return { kernel, files, run };
}

/** Until the component serves. */
async function begun(started: ReturnType<typeof start>): Promise<Awaited<ReturnType<typeof start>['run']>> {
  const run = await started.run;
  await run.settle();
  expect(run.log.join()).toContain('mounted at m');
  return run;
}

const init = (major = 7, minor = 40): Message =>
  new Message(16).u32(major).u32(minor).u32(131_072).u32(0xffff_ffff);

test('the beginning: the lower version, and what both can do', async () => {
  const started = start();
  await using _ = await begun(started);
  const { error, body } = await started.kernel.ask(OPCODE.init, 0, init());
  expect([error, body.getUint32(0, true), body.getUint32(4, true), body.byteLength]).toEqual([0, 7, 31, 64]);
  // It never takes back what it has not asked for: the cache of writes.
  expect(body.getUint32(12, true) & (1 << 16)).toBe(0);
  expect((await started.kernel.ask(OPCODE.init, 0, init(7, 10))).error).toBe(71);
});

test('a file is made, written, read, listed and removed', async () => {
  const started = start();
  await using _ = await begun(started);
  const { kernel, files } = started;
  const made = await kernel.ask(
    OPCODE.create,
    ROOT_ID,
    named('f', new Message(32).u32(2).u32(0o100640).u32(0).u32(0)),
  );
  expect([made.error, made.body.byteLength]).toEqual([0, 144]);
  const [node, handle] = [made.body.getUint32(0, true), made.body.getUint32(128, true)];
  // Inode, and in its attributes the mode, the owner and the group of the header.
  expect([
    made.body.getUint32(100, true),
    made.body.getUint32(108, true),
    made.body.getUint32(112, true),
  ]).toEqual([0o100640, 7, 8]);
  const io = (offset: number, size: number): Message =>
    new Message(80).u64(handle).u64(offset).u32(size).zeros(20);
  const written = await kernel.ask(OPCODE.write, node, io(3, 5).raw(new TextEncoder().encode('hello')));
  expect([written.error, written.body.getUint32(0, true)]).toEqual([0, 5]);
  const read = await kernel.ask(OPCODE.read, node, io(2, 100));
  expect(new TextDecoder().decode(read.body)).toBe('\0hello');
  const opened = await kernel.ask(OPCODE.opendir, ROOT_ID, new Message(8).u32(0).u32(0));
  const listed = await kernel.ask(
    OPCODE.readdirplus,
    ROOT_ID,
    new Message(80).u64(opened.body.getUint32(0, true)).u64(0).u32(4096).zeros(20),
  );
  // `.` and `..` without a node, then the file with the one that it has.
  expect(listed.body.byteLength).toBe(3 * (128 + 32));
  expect([0, 160, 320].map((at) => listed.body.getUint32(at, true))).toEqual([0, 0, node]);
  expect((await kernel.ask(OPCODE.unlink, ROOT_ID, named('f'))).error).toBe(0);
  expect((await kernel.ask(OPCODE.lookup, ROOT_ID, named('f'))).error).toBe(2);
  // It is open: it lives.
  expect(new TextDecoder().decode((await kernel.ask(OPCODE.read, node, io(3, 5))).body)).toBe('hello');
  await kernel.ask(OPCODE.release, node, new Message(24).u64(handle).zeros(16));
  kernel.request(OPCODE.forget, node, new Message(8).u64(2));
  await (await started.run).settle();
  expect((await kernel.ask(OPCODE.getattr, node, new Message(16).zeros(16))).error).toBe(116);
  expect(files.underWay).toBe(0);
});

test('what is interrupted ends after a moment, and what takes too long ends; the kernel remembers nothing of it', async () => {
  const stuck: (() => void)[] = [];
  let sticks = false;
  const before = (): Promise<void> | void =>
    sticks ? new Promise((resolve) => stuck.push(resolve)) : undefined;
  const started = start({ before }, { timeout_ms: 2000 });
  await using run = await begun(started);
  const { kernel } = started;
  sticks = true;
  const asked = kernel.request(OPCODE.mkdir, ROOT_ID, named('d', new Message(16).u32(0o755).u32(0)));
  const slow = kernel.request(OPCODE.lookup, ROOT_ID, named('x'));
  await run.settle();
  kernel.request(OPCODE.interrupt, 0, new Message(8).u64(asked.unique));
  await run.advance(500);
  expect((await asked.answer).error).toBe(EINTR);
  await run.advance(3000);
  expect((await slow.answer).error).toBe(EIO);
  // The work goes on, and nobody is told.
  sticks = false;
  for (const go of stuck.splice(0)) go();
  await run.settle();
  const found = await kernel.ask(OPCODE.lookup, ROOT_ID, named('d'));
  expect(found.error).toBe(0);
});

test('unknown operations are answered, and malformed messages are told of and hurt nobody', async () => {
  const started = start();
  await using run = await begun(started);
  const { kernel } = started;
  expect((await kernel.ask(999, ROOT_ID)).error).toBe(ENOSYS);
  expect(
    (await kernel.ask(OPCODE.read, ROOT_ID, new Message(40).u64(77).u64(0).u32(10).zeros(20))).error,
  ).toBe(9);
  kernel.send(new Uint8Array(10));
  kernel.send(new Message(40).u32(4000).zeros(36).bytes.slice());
  const nameless = kernel.request(OPCODE.lookup, ROOT_ID, new Message(4).raw(new Uint8Array([65, 66])));
  expect((await nameless.answer).error).toBe(EIO);
  const long = await kernel.ask(
    OPCODE.mkdir,
    ROOT_ID,
    named('n'.repeat(256), new Message(300).u32(0o755).u32(0)),
  );
  expect(long.error).toBe(36);
  expect((await kernel.ask(OPCODE.statfs, ROOT_ID)).error).toBe(0);
  expect(run.log.join('\n')).toContain('says that it has 4000');
});

test('a directory that is removed is empty, and an inode that is something else now is another node', async () => {
  const started = start();
  await using _ = await begun(started);
  const { kernel } = started;
  const made = await kernel.ask(OPCODE.mkdir, ROOT_ID, named('d', new Message(16).u32(0o755).u32(0)));
  const node = made.body.getUint32(0, true);
  expect((await kernel.ask(OPCODE.rmdir, ROOT_ID, named('d'))).error).toBe(0);
  const opened = await kernel.ask(OPCODE.opendir, node, new Message(8).u32(0).u32(0));
  expect(opened.error).toBe(0);
  const listed = await kernel.ask(
    OPCODE.readdir,
    node,
    new Message(80).u64(opened.body.getUint32(0, true)).u64(0).u32(4096).zeros(20),
  );
  expect([listed.error, listed.body.byteLength]).toEqual([0, 0]);
  const attributes = await kernel.ask(OPCODE.getattr, node, new Message(16).zeros(16));
  expect([attributes.error, attributes.body.getUint32(16 + 64, true)]).toEqual([0, 0]);
});
