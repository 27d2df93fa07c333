/**
 * Keepers of the memory of several processes, here in one, with real memory files between them, and
 * core's part played by a switchboard that says truly who has said what.
 */
import { fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { DescriptorSocket } from 'sharedarraybuffer-polyfill';
import { mapBuffer, vacateBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { beforeEach, expect } from 'vitest';
import { skipReason } from '../../sharedarraybuffer-polyfill/test/observe.ts';
import { isRevoked, MEMORY_STEP_BYTES, type MemoryState } from '../src/memory/shared-memory.ts';
import { Arrivals } from '../src/platform/domain/keeper/arrivals.ts';
import { MemoryKeeper } from '../src/platform/domain/keeper/memory-keeper.ts';

export const STEP = MEMORY_STEP_BYTES;
export const COMPONENT = 7;
export const OTHER = 8;

/** Memory as a component has it. */
export interface Held {
  readonly file: number;
  readonly view: Uint8Array;
  readonly state: MemoryState | undefined;
  readonly kept: boolean;
}

/** A process with its keeper. */
export class Process {
  readonly number: number;
  readonly keeper: MemoryKeeper;
  readonly channels = new Map<number, { readonly socket: DescriptorSocket; readonly arrivals: Arrivals }>();
  readonly freed: number[] = [];
  readonly told: string[] = [];
  readonly #mapped: SharedArrayBuffer[] = [];
  gone = false;

  constructor() {
    this.number = processes.length + 1;
    this.keeper = new MemoryKeeper(this.number, {
      revoked: (serial, targets) => {
        this.told.push(`revoked ${serial} ${targets.join()}`);
        for (const target of targets) this.revoke(serial, target);
      },
      arrived: ({ process, serial }) => {
        const owner = processes[process - 1];
        if (owner && !owner.gone) owner.keeper.arrivedAt(this.number, serial);
        else this.forget(process);
      },
      freed: (_, file) => this.freed.push(file),
      forgotten: () => {},
    });
    processes.push(this);
  }

  /** The supervisor's answer if this process says that memory is to go. */
  revoke(serial: number, target: number): void {
    const other = processes[target - 1];
    if (!other || other === this || other.gone) return;
    const { number } = this;
    other.channels
      .get(number)
      ?.arrivals.revoke((label) => label.process === number && label.serial === serial);
    other.keeper.revoke({ process: number, serial });
  }

  forget(process: number): void {
    this.channels.get(process)?.arrivals.revoke((label) => label.process === process);
    this.keeper.processEnded(process);
  }

  make(steps = 1, byte = 1): Held {
    const held = this.keeper.create(COMPONENT, steps * STEP);
    if (!held) throw new Error('no memory');
    const buffer = this.#map(held.descriptor, held.sizeBytes);
    this.keeper.mapped(COMPONENT, held.file, buffer);
    const view = new Uint8Array(buffer).fill(byte);
    return { file: held.file, view, state: held.state, kept: true };
  }

  send(to: Process, held: Held, options: { sealed?: boolean; once?: boolean } = {}): number | undefined {
    const way = this.channels.get(to.number);
    if (!way) throw new Error('no channel');
    const { sealed = false, once = false } = options;
    const files = [{ file: held.file, sealed, once, sizeBytes: held.view.byteLength }];
    return this.keeper.send(COMPONENT, { socket: way.socket, peerProcess: to.number }, files, 0);
  }

  receive(from: Process, mapping = true): Held {
    const channel = this.channels.get(from.number);
    const [got] = (channel && this.keeper.receive(COMPONENT, channel.arrivals)) ?? [];
    if (!got) throw new Error('nothing has arrived');
    const buffer = mapping
      ? this.#map(got.descriptor, got.sizeBytes, got.sealed)
      : new SharedArrayBuffer(got.sizeBytes);
    if (mapping && got.state) this.keeper.mapped(COMPONENT, got.file, buffer);
    if (mapping && !got.kept) this.keeper.drop(COMPONENT, got.file);
    return { file: got.file, view: new Uint8Array(buffer), state: got.state, kept: got.kept };
  }

  pass(to: Process, held: Held, options: { sealed?: boolean; once?: boolean } = {}): Held {
    expect(this.send(to, held, options)).toBe(1);
    return to.receive(this);
  }

  #map(descriptor: number, sizeBytes: number, copyOnWrite = false): SharedArrayBuffer {
    const buffer = mapBuffer(descriptor, sizeBytes, { copyOnWrite });
    this.#mapped.push(buffer);
    return buffer;
  }

  /** Gives up whatever it maps. */
  unmapAll(): void {
    for (const buffer of this.#mapped) vacateBuffer(buffer);
  }

  /** As if it were killed: it says nothing any more, and maps nothing. */
  die(): void {
    this.gone = true;
    this.unmapAll();
    this.end();
    for (const other of processes) if (!other.gone) other.forget(this.number);
  }

  end(): void {
    for (const { arrivals } of this.channels.values()) arrivals.close();
    this.keeper.ended(COMPONENT);
    this.keeper.ended(OTHER);
  }
}

function connect(a: Process, b: Process): void {
  const [first, second] = DescriptorSocket.descriptors().map((fd) => DescriptorSocket.adopt(fd));
  if (!first || !second) throw new Error('no sockets');
  a.channels.set(b.number, { socket: first, arrivals: new Arrivals(first, b.number) });
  b.channels.set(a.number, { socket: second, arrivals: new Arrivals(second, a.number) });
}

export const isZero = ({ view }: Held): boolean => view.every((byte) => byte === 0);
export const revoked = ({ state }: Held): boolean => isRevoked(state);
/** Inodes of the memory files that are mapped, once for each mapping. */
const mappedFiles = (): (string | undefined)[] =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/memfd:ginit memory'))
    .map((line) => line.split(/\s+/)[4]);
/** Mappings of this test: those of the tests before it go whenever V8 collects them. */
export const mappings = (): number => mappedFiles().filter((file) => !mappedBefore.has(file)).length;
export const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^(\/memfd:|socket:)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  });
/** Descriptors of files that have memory. */
export const withMemory = (): number =>
  descriptors().filter((fd) => {
    try {
      return fstatSync(Number(fd)).blocks > 0;
    } catch {
      // That of the directory itself.
      return false;
    }
  }).length;

const processes: Process[] = [];
let before = 0;
let mappedBefore: ReadonlySet<string | undefined> = new Set();

/** How many descriptors of memory files and sockets a test has open beyond those before it. */
export const openedDescriptors = (): number => descriptors().length - before;

/**
 * Gives each test of the file three processes, the first connected with the second and that with
 * the third. After each nothing may be left of them.
 * They are skipped where memory cannot be shared.
 */
export function threeProcesses(): () => [Process, Process, Process] {
  let there: [Process, Process, Process] | undefined;
  beforeEach(({ skip }) => {
    skip(skipReason !== undefined, skipReason);
    before = descriptors().length;
    mappedBefore = new Set(mappedFiles());
    processes.length = 0;
    there = [new Process(), new Process(), new Process()];
    connect(there[0], there[1]);
    connect(there[1], there[2]);
    return () => {
      for (const process of processes) {
        process.end();
        process.unmapAll();
      }
      expect(processes.map(({ keeper }) => keeper.size)).toEqual([0, 0, 0]);
      expect(descriptors().length).toBe(before);
    };
  });
  return () => {
    if (!there) throw new Error('there are three processes');
    return there;
  };
}

/** The one descriptor of a file that is neither mapped nor closed. */
export function fileOf({ file }: Held): number {
  const found = descriptors().find((fd) =>
    readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:ginit memory'),
  );
  if (found === undefined) throw new Error(`file ${file} is closed`);
  return Number(found);
}
