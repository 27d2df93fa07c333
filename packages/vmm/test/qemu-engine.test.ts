/** The engine QEMU, with a QEMU in the test's own thread. */
import { describe, expect, test } from 'vitest';
import type { NbdDevice } from '@ginit/block/nbd';
import { RpcError } from '@ginit/core';
import type { MachineDrive } from '@ginit/core/machine';
import type { Engine } from '../src/engine/engine.ts';
import { MediumRefused } from '../src/engine/engine.ts';
import { MediumDevice } from '../src/engine/qemu/medium-device.ts';
import { GuestDevice } from '../src/engine/qemu/guest-device.ts';
import { startQemu } from '../src/engine/qemu/qemu-engine.ts';
import { StateError } from '../src/state/state-stream.ts';
import { FakeQemu, type FakeQemuOptions } from './fake-qemu.ts';

/** The time that has passed is said by a test. */
let due: (() => void)[] = [];
const TIMER = {
  sleep: () => new Promise<void>(() => {}),
  after: (_: number, handler: () => void) => {
    due.push(handler);
    return () => (due = due.filter((one) => one !== handler));
  },
};
const LISTENS = { return: 'portw[0x0602] = 0x0120\r\n' };

/** An engine with its QEMU, and what it has told. */
class EngineSystem {
  readonly told: string[] = [];
  output = '';
  /** QEMUs that were started, one after the other. */
  readonly qemus: FakeQemu[] = [];
  readonly #options: FakeQemuOptions;
  readonly #drives: readonly MachineDrive[];

  constructor(options: FakeQemuOptions = {}, drives: readonly MachineDrive[] = []) {
    this.#options = options;
    this.#drives = drives;
  }

  get qemu(): FakeQemu {
    const last = this.qemus.at(-1);
    if (!last) throw new Error('none was started');
    return last;
  }

  start(): Promise<Engine> {
    const workplace = async (): Promise<FakeQemu> => {
      this.qemus.push(new FakeQemu(this.#options));
      return this.qemu;
    };
    return startQemu(
      {
        env: { host: { workplace }, timer: TIMER },
        program: '/usr/bin/qemu',
        setup: {
          memoryBytes: 64 * 2 ** 20,
          processors: 2,
          accelerator: 'tcg',
          hasSerial: true,
          commandLine: 'quiet, and more',
        },
        files: new Map([['kernel', new Uint8Array(16)]]),
        disks: [],
        shares: [],
        drives: this.#drives,
        media: {},
        screen: undefined,
      },
      {
        serialOutput: (byte) => (this.output += String.fromCharCode(byte)),
        turn: () => {},
        halted: () => this.told.push('halted'),
        reset: () => this.told.push('reset'),
        failed: (reason) => this.told.push(`failed: ${reason}`),
      },
    );
  }

  async untilCommands(...commands: string[]): Promise<void> {
    await expect.poll(() => this.qemu.commands.slice(1)).toEqual(commands);
  }

  async untilTold(...told: (string | RegExp)[]): Promise<void> {
    await expect.poll(() => this.told).toEqual(told.map((one) => expect.stringMatching(one)));
  }
}

describe('an engine of QEMU', () => {
  test('starts it in a sandbox, without a network, standing still', async () => {
    const system = new EngineSystem();
    const engine = await system.start();
    expect(engine.version).toBe('QEMU 7.2.22');
    const [args] = system.qemu.runs;
    expect(args).toContain('on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny');
    expect(args).toEqual(expect.arrayContaining(['-nodefaults', '-nic', 'none', '-S', 'quiet, and more']));
    expect(args).not.toContain('-initrd');
    await engine.close();
    expect(system.qemu.isClosed).toBe(true);
    expect(system.told).toEqual([]);
  });

  test('runs, pauses and resets it by commands in their order', async () => {
    const system = new EngineSystem();
    const engine = await system.start();
    engine.run();
    engine.pause();
    engine.reset();
    engine.run();
    await system.untilCommands('cont', 'stop', 'system_reset', 'cont');
    // Those of the BIOS come at once, and are told to nobody; that of the guest itself is.
    const guestResets = (): void => system.qemu.event('RESET', { guest: true, reason: 'guest-reset' });
    guestResets();
    guestResets();
    // Its answer comes behind the events.
    await engine.pressPowerButton();
    expect(system.told).toEqual(['reset']);
    for (const handler of due.splice(0)) handler();
    guestResets();
    await system.untilTold('reset', 'reset');
  });

  test('has a guest that switches off, whose end is none of QEMU’s', async () => {
    const system = new EngineSystem();
    await system.start();
    system.qemu.event('SHUTDOWN', { guest: true, reason: 'guest-shutdown' });
    system.qemu.exit({ code: 0, signal: undefined });
    await system.untilTold('halted');
  });

  test.each([
    ['a signal', { code: undefined, signal: 'SIGSEGV' }, /was ended by SIGSEGV: the last words$/],
    ['an exit', { code: 1, signal: undefined }, /has exited with 1: the last words$/],
  ])('tells how it has ended by %s, and what it has said last', async (_, end, reason) => {
    const system = new EngineSystem();
    await system.start();
    system.qemu.say('the first words');
    system.qemu.say('the last words');
    system.qemu.exit(end);
    await system.untilTold(reason);
  });

  test('says why one does not come up', async () => {
    const system = new EngineSystem({ refusesToStart: 'qemu: there is no such thing' });
    await expect(system.start()).rejects.toThrow(/exited with 1: qemu: there is no such thing/);
    expect(system.qemu.isClosed).toBe(true);
  });

  test('tells of a command that is refused', async () => {
    const error = { class: 'GenericError', desc: 'not now' };
    const system = new EngineSystem({ answer: (command) => (command === 'cont' ? { error } : undefined) });
    (await system.start()).run();
    await system.untilTold(/QEMU refuses "cont": not now/);
  });

  test('presses the power button if the guest listens to it', async () => {
    const system = new EngineSystem({
      answer: (command) => (command === 'human-monitor-command' ? LISTENS : undefined),
    });
    expect(await (await system.start()).pressPowerButton()).toBe(true);
    await system.untilCommands('human-monitor-command', 'system_powerdown');
    const deaf = new EngineSystem({
      answer: (command) =>
        command === 'human-monitor-command' ? { return: 'portw[0x0602] = 0x0020\r\n' } : undefined,
    });
    expect(await (await deaf.start()).pressPowerButton()).toBe(false);
    await deaf.untilCommands('human-monitor-command');
  });

  test('moves what is written and typed on the serial line, and holds the guest', async () => {
    const system = new EngineSystem();
    const engine = await system.start();
    system.qemu.write('one ');
    await expect.poll(() => system.output).toBe('one ');
    expect(engine.holdSerial(true)).toBe(true);
    system.qemu.write('two ');
    system.qemu.write('three');
    await expect.poll(() => system.output).toBe('one two ');
    engine.holdSerial(false);
    await expect.poll(() => system.output).toBe('one two three');
    expect(engine.serialRoom).toBeGreaterThan(0);
    engine.serialInput(new TextEncoder().encode('typed'));
    await expect.poll(() => system.qemu.typed).toBe('typed');
  });

  test('takes its state out, and another one goes on with it', async () => {
    const system = new EngineSystem();
    const engine = await system.start();
    const saved: Uint8Array[] = [];
    await engine.save({ write: async (bytes) => void saved.push(bytes.slice()) });
    const other = new EngineSystem();
    const restored = await other.start();
    await restored.restore(sourceOf(Buffer.concat(saved)));
    expect(other.qemus).toHaveLength(2);
    expect(other.qemu.runs[0]).toContain('-incoming');
    expect(other.qemu.received).toBe('the state of a machine');
  });

  test('refuses a state that QEMU does not take', async () => {
    const system = new EngineSystem();
    const engine = await system.start();
    const bad = Buffer.from([3, 0, 0, 0, ...Buffer.from('bad'), 0, 0, 0, 0]);
    await expect(engine.restore(sourceOf(bad))).rejects.toThrow(StateError);
  });
});

/** A state in memory. */
function sourceOf(bytes: Uint8Array) {
  let at = 0;
  const read = async (length: number): Promise<Uint8Array> => {
    if (at + length > bytes.byteLength) throw new StateError('it is cut off');
    at += length;
    return bytes.subarray(at - length, at);
  };
  return { read, readInto: async (into: Uint8Array) => into.set(await read(into.byteLength)) };
}

describe('the drives of a QEMU', () => {
  const medium = { sizeBytes: 2048, read: async (_: number, length: number) => new Uint8Array(length) };

  test('are empty, and something is put into one, exchanged and taken out', async () => {
    const system = new EngineSystem({}, ['cdrom', 'floppy']);
    const engine = await system.start();
    const [args = []] = system.qemu.runs;
    expect(args).toContain('{"driver":"floppy","id":"floppy","drive-type":"144"}');
    expect(args).toContain('{"driver":"ide-cd","id":"cdrom","bus":"ide.0","unit":0}');
    const insert = ['blockdev-add', 'blockdev-insert-medium', 'blockdev-close-tray'];
    const remove = ['blockdev-open-tray', 'blockdev-remove-medium', 'blockdev-del'];
    await engine.changeMedium('cdrom', medium);
    await engine.changeMedium('cdrom', medium);
    await engine.changeMedium('cdrom', undefined);
    expect(system.qemu.commands.slice(1)).toEqual([
      'blockdev-open-tray',
      ...insert,
      ...remove,
      ...insert,
      ...remove,
    ]);
  });

  test('have what lies in them when the machine goes on from a state', async () => {
    const system = new EngineSystem({}, ['cdrom']);
    const engine = await system.start();
    await engine.changeMedium('cdrom', medium);
    await engine.restore(sourceOf(Buffer.from([1, 0, 0, 0, 1, 0, 0, 0, 0])));
    const [args = []] = system.qemu.runs;
    expect(args.join(' ')).toMatch(/"node-name":"cdrom1".*"id":"cdrom","drive":"cdrom1"/);
  });

  test('tell why QEMU does not take a medium', async () => {
    const error = { class: 'GenericError', desc: 'it is too round' };
    const answer: FakeQemuOptions['answer'] = (command) =>
      command === 'blockdev-insert-medium' ? { error } : undefined;
    const engine = await new EngineSystem({ answer }, ['floppy']).start();
    await expect(engine.changeMedium('floppy', medium)).rejects.toThrow(
      new MediumRefused('QEMU does not take it: it is too round'),
    );
  });

  test('take no floppy disk of another form than that which a drive begins with', async () => {
    const system = new EngineSystem({}, ['floppy']);
    const engine = await system.start();
    await expect(engine.changeMedium('floppy', { ...medium, sizeBytes: 2880 * 1024 })).rejects.toThrow(
      new MediumRefused('its floppy drive is one for 1440 KiB'),
    );
    expect(system.qemu.commands).not.toContain('blockdev-open-tray');
  });

  test('end in zeros where a sector is cut off, and are not written', async () => {
    const device = new MediumDevice({
      sizeBytes: 700,
      read: async (_, length) => new Uint8Array(length).fill(1),
    });
    const seen: Uint8Array[] = [];
    await device.read(512, 512, (bytes) => seen.push(bytes));
    expect([device.sizeBytes, device.writeable]).toEqual([1024, false]);
    expect([...(seen[0] ?? [])].lastIndexOf(1)).toBe(187);
    expect(seen[0]?.byteLength).toBe(512);
  });
});

test('what is written to a floppy disk is put together, and a failure reaches the guest', async () => {
  const written: [number, number[]][] = [];
  const floppy = new MediumDevice({
    sizeBytes: 2048,
    read: async (_, length) => new Uint8Array(length),
    write: async (position, bytes) => {
      if (position > 0) throw new RpcError('InputOutput', 'it fails');
      written.push([bytes.byteLength, [bytes[0] ?? 0, bytes[511] ?? 0]]);
    },
  });
  expect(floppy.writeable).toBe(true);
  await floppy.write(0, 512, [Uint8Array.of(7), new Uint8Array(511).fill(9)]);
  await floppy.writeZeroes(0, 1024);
  expect(written).toEqual([
    [512, [7, 9]],
    [1024, [0, 0]],
  ]);
  await expect(floppy.write(512, 512, [new Uint8Array(512)])).rejects.toMatchObject({ code: 'InputOutput' });
});

describe('a disk of a QEMU', () => {
  const info = { blockSize: 512, blockCount: 8, writeable: true, alignLog2: 0 };
  const failing = (code: string): ConstructorParameters<typeof GuestDevice>[0] => {
    const fail = (): Promise<never> => Promise.reject(new RpcError(code, 'it fails'));
    const all = { read: fail, readWith: fail, write: fail, writeWith: fail, sync: fail, trim: fail };
    return { info, requestBlocksMax: 8, ...all, writeZeroes: fail };
  };
  const requests = (device: NbdDevice): Promise<void>[] => [
    device.read(0, 512, () => {}),
    device.write(0, 512, [new Uint8Array(512)]),
    device.flush(),
    device.trim(0, 512),
    device.writeZeroes(0, 512),
  ];

  test.each(['NoSpace', 'Gone', 'PeerGone'])('that fails by %s has its machine stopped', async (code) => {
    const told: string[] = [];
    const held = (one: string): unknown => told.push(one);
    const device = new GuestDevice(failing(code), true, { held, failed: () => told.push('failed') });
    for (const request of requests(device)) await expect(request).rejects.toMatchObject({ code: 'NoSpace' });
    expect(told).toEqual([code, code, code, code, code]);
  });

  test('whose medium fails tells that to the guest, and so does one that is to report', async () => {
    const told: string[] = [];
    const failed = ({ code }: RpcError): unknown => told.push(code);
    const patient = new GuestDevice(failing('InputOutput'), true, { held: () => told.push('held'), failed });
    for (const request of requests(patient))
      await expect(request).rejects.toMatchObject({ code: 'InputOutput' });
    const reporting = new GuestDevice(failing('NoSpace'), true, { held: undefined, failed });
    await expect(reporting.flush()).rejects.toMatchObject({ code: 'NoSpace' });
    expect(told).toEqual([...Array.from({ length: 5 }, () => 'InputOutput'), 'NoSpace']);
  });
});
