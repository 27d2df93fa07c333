/** Systems with one machine in them, in the test's own thread, on the real engine v86. */
import { type Component, component, Rom, RomModule, RpcError, Timer } from '@ginit/core';
import {
  Machine,
  type MachineAction,
  type MachineAnswer,
  type MachineMetrics,
  type MachineState,
} from '@ginit/core/machine';
import { Block, type BlockBackend, serveBlock } from '@ginit/core/block';
import { FileSystem, serveFileSystem } from '@ginit/core/file_system';
import { Framebuffer, ServedFramebuffer } from '@ginit/core/framebuffer';
import { Input, type InputEvent, ServedInput } from '@ginit/core/input';
import { Report, serveReport } from '@ginit/core/report';
import { ServedTerminal, Terminal } from '@ginit/core/terminal';
import { expect } from 'vitest';
import {
  finish,
  type FinishedSystem,
  type InProcessSystem,
  startSystem,
} from '../../../test/harness/in-process-system.ts';
import { KeptMachines } from '../../core/src/supervisor/kept-machines.ts';
import { TimerSession } from '../../core/src/supervisor/timer-session.ts';
import { Budget } from '../../rumpfs/src/tmpfs-server.ts';
import { RAM_FS_CONFIG } from '../../os/src/ram_fs/content.ts';
import { RamFileSystem } from '../../os/src/lib/ram-file-system.ts';
import vmm from '../src/main.ts';

const TIMEOUT_MS = 20_000;

/** What a machine is given. */
export interface MachineSurroundings {
  /** ROM modules by name. */
  readonly roms?: Readonly<Record<string, Uint8Array>>;
  /** Disks by label. */
  readonly disks?: Readonly<Record<string, BlockBackend>>;
  readonly ram?: string;
  /** Whether the terminal takes what the guest writes. */
  readonly takesOutput?: boolean;
  /** Whether there is a screen with a keyboard. */
  readonly hasScreen?: boolean;
  /** Attributes of its config. */
  readonly attributes?: string;
  /** The files of its File_system sessions. */
  readonly files?: RamFileSystem;
  /** The machine's time, if it is not the real one. */
  readonly clock?: ManualClock;
}

/** Files in memory, which outlive a system, and the room that there is for them. */
export async function someFiles(): Promise<{
  readonly files: RamFileSystem;
  readonly room: { bytes: number };
}> {
  const room = { bytes: 2 ** 30 };
  let ramUsed = 0;
  const account = {
    allocate: async ({ ram }: { ram: number }) => {
      if (ramUsed + ram > room.bytes) throw new RpcError('OUT_OF_RAM');
      ramUsed += ram;
      return ram;
    },
    free: async (ram: number) => void (ramUsed -= ram),
    state: async () => ({ ramQuota: room.bytes, ramUsed, capQuota: 100, capUsed: 0 }),
  };
  return { files: await RamFileSystem.create(new Budget(account), () => 0), room };
}

/** Waits of less than this are only for others to have their turn. */
const TURN_US = 1000;

/** A clock that stands still until it is moved on. */
export class ManualClock {
  #nowUs = 0;
  #waiting: { readonly atUs: number; readonly handler: () => void }[] = [];

  monotonicUs(): number {
    return this.#nowUs;
  }

  wallClockMs(): number {
    return this.#nowUs / 1000;
  }

  after(us: number, handler: () => void): () => void {
    if (us < TURN_US) this.#nowUs += us;
    const wait = { atUs: this.#nowUs + (us < TURN_US ? 0 : us), handler };
    this.#waiting.push(wait);
    if (us < TURN_US) setImmediate(() => this.advance(0));
    return () => (this.#waiting = this.#waiting.filter((one) => one !== wait));
  }

  advance(ms: number): void {
    this.#nowUs += ms * 1000;
    const due = this.#waiting.filter(({ atUs }) => atUs <= this.#nowUs);
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const { handler } of due) handler();
  }
}

/** A system that runs, with the other end of the machine's serial line. */
export class MachineSystem {
  /** What the guest has written. */
  output = '';
  /** The same as bytes. */
  readonly bytes: number[] = [];
  /** The last report of the machine. */
  report = '';
  readonly #system: InProcessSystem;
  readonly #machines = new KeptMachines();
  #terminal: ServedTerminal | undefined;
  #screen: ServedFramebuffer | undefined;
  #input: ServedInput | undefined;

  /** `config` is what stands in the config of the machine. */
  constructor(config: string, surroundings: MachineSurroundings) {
    const { roms = {}, disks = {}, takesOutput = true, attributes = '', clock } = surroundings;
    const { files: fileSystem, hasScreen = false, ram = fileSystem ? '23M' : '20M' } = surroundings;
    const folder = component({ provides: [FileSystem], config: RAM_FS_CONFIG }, (env) => {
      const options = { config: env.config.read(RAM_FS_CONFIG), report: () => {} };
      if (fileSystem) env.provide(FileSystem, (session) => serveFileSystem(session, fileSystem, options));
    });
    const files = component({ provides: [Rom] }, (env) => {
      env.provide(Rom, ({ label }) => new RomModule(roms[label.last]).open());
    });
    const terminal = component({ provides: [Terminal] }, (env) => {
      env.provide(Terminal, (session) => {
        const served = new ServedTerminal(session, {
          written: () => {
            if (!takesOutput) return;
            const bytes = served.take();
            this.bytes.push(...bytes);
            this.output += new TextDecoder().decode(bytes);
          },
        });
        this.#terminal = served;
        served.connect();
        return served.session;
      });
    });
    const control = component({ provides: [Machine] }, (env) => {
      env.provide(Machine, ({ label }) => this.#machines.open({ label: label.text }));
    });
    const time = component({ provides: [Timer] }, (env) => {
      if (clock) env.provide(Timer, () => new TimerSession(clock));
    });
    const reports = component({ provides: [Report] }, (env) => {
      const submit = (content: Uint8Array): void => void (this.report = new TextDecoder().decode(content));
      env.provide(Report, (session) => serveReport(session, { submit }));
    });
    const screen = component({ provides: [Framebuffer, Input] }, (env) => {
      env.provide(Framebuffer, async (session) => {
        this.#screen = await ServedFramebuffer.open(env, session);
        return this.#screen.session;
      });
      env.provide(Input, async (session) => {
        this.#input = await ServedInput.open(env, session);
        return this.#input.session;
      });
    });
    const servers = Object.entries(disks).map(([label, disk]): [string, Component] => [
      `disk-${label}`,
      component({ provides: [Block] }, (env) => {
        env.provide(Block, (session) => serveBlock(session, disk));
      }),
    ]);
    const route = (service: string, label: string, to: string): string =>
      `<service name="${service}" label="${label}"> <child name="${to}"/> </service>`;
    const routes = [
      // There is never a module of this name.
      ...[...Object.keys(roms), 'none'].map((label) => route('ROM', label, 'files')),
      ...Object.keys(disks).map((label) => route('Block', label, `disk-${label}`)),
    ];
    this.#system = startSystem(
      'shared',
      { files, folder, terminal, control, reports, time, screen, vmm, ...Object.fromEntries(servers) },
      `<start name="files" ram="16M"> <provides> <service name="ROM"/> </provides> </start>
      <start name="terminal"> <provides> <service name="Terminal"/> </provides> </start>
      <start name="control"> <provides> <service name="Machine"/> </provides> </start>
      <start name="reports"> <provides> <service name="Report"/> </provides> </start>
      ${fileSystem ? '<start name="folder" ram="8M"> <provides> <service name="File_system"/> </provides> <config> <default-policy writeable="yes"/> </config> </start>' : ''}
      ${hasScreen ? '<start name="screen"> <provides> <service name="Framebuffer"/> <service name="Input"/> </provides> </start>' : ''}
      ${clock ? '<start name="time"> <provides> <service name="Timer"/> </provides> </start>' : ''}
      ${servers.map(([name]) => `<start name="${name}"> <provides> <service name="Block"/> </provides> </start>`).join('')}
      <start name="vmm" ram="${ram}"> <exit propagate="yes"/>
        <route>
          <service name="Terminal"> <child name="terminal"/> </service>
          <service name="Machine"> <child name="control"/> </service>
          <service name="Report"> <child name="reports"/> </service>
          ${clock ? '<service name="Timer"> <child name="time"/> </service>' : ''}
          ${fileSystem ? '<service name="File_system"> <child name="folder"/> </service>' : ''}
          ${hasScreen ? '<service name="Framebuffer"> <child name="screen"/> </service> <service name="Input"> <child name="screen"/> </service>' : ''}
          ${routes.join('')}
          <any-service> <parent/> </any-service>
        </route>
        <config ${attributes}>${config}</config>
      </start>`,
    );
  }

  /** Types on the serial line. */
  type(text: string): void {
    this.#terminal?.push(new TextEncoder().encode(text));
  }

  /** The picture that the screen shows; a word for each pixel, as 0xRRGGBB. */
  get picture(): { readonly width: number; readonly height: number; readonly pixels: Uint32Array } {
    const { width, height, pixels } = this.#screen?.picture() ?? {
      width: 0,
      height: 0,
      pixels: new Uint8Array(),
    };
    return { width, height, pixels: new Uint32Array(pixels.buffer, 0, width * height) };
  }

  /** Does something with keyboard and mouse. */
  input(event: InputEvent): void {
    this.#input?.submit(event);
  }

  /** Wants something of the machine, as `ginit vm` does. */
  async ask(action: MachineAction, ...words: readonly string[]): Promise<string | undefined> {
    return (await this.answer(action, ...words)).problem;
  }

  /** The same, with the whole answer. */
  answer(action: MachineAction, ...words: readonly string[]): Promise<MachineAnswer> {
    const none = { problem: 'there is no machine', content: undefined, metrics: undefined };
    return this.#machines.all[0]?.ask(action, words) ?? Promise.resolve(none);
  }

  /** What the machine has done. */
  async metrics(): Promise<MachineMetrics | undefined> {
    return this.#machines.all[0]?.metrics();
  }

  /** What is shown of the machine. */
  get state(): MachineState | undefined {
    return this.#machines.all[0]?.state;
  }

  /** Settles when the machine is shown so. */
  async untilState(pattern: RegExp): Promise<void> {
    const shown = (): string => `${this.state?.state}: ${this.state?.about}`;
    await expect.poll(shown, { timeout: TIMEOUT_MS }).toMatch(pattern);
  }

  /** Settles when the guest has written this. */
  async until(text: string): Promise<void> {
    await expect.poll(() => this.output, { timeout: TIMEOUT_MS }).toContain(text);
  }

  /** The log so far. */
  get lines(): readonly string[] {
    return this.#system.platform.lines;
  }

  /** The system when the machine has ended well. */
  ended(): Promise<FinishedSystem> {
    return this.endedWith(0);
  }

  /** The system when the machine has ended with this code. */
  async endedWith(code: number): Promise<FinishedSystem> {
    const finished = await finish(this.#system);
    expect(finished.end, [...finished.complaints, ...finished.lines].join('\n')).toEqual({
      kind: 'exit',
      code,
    });
    return finished;
  }

  /** Stops the system, as a signal does. */
  async stop(): Promise<FinishedSystem> {
    this.#system.supervisor.end({ kind: 'exit', code: 0 });
    return this.ended();
  }

  /** The reason for which the machine has crashed. */
  async crash(): Promise<string> {
    const { complaints } = this.#system.platform;
    const crash = (): string | undefined => complaints.find((line) => line.includes('] crashed: '));
    await expect.poll(crash, { timeout: TIMEOUT_MS }).toBeDefined();
    await finish(this.#system);
    return crash() ?? '';
  }
}
