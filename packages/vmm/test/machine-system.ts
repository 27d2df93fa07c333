/** Systems with one machine in them, in the test's own thread, on the real engine v86. */
import { type Component, component, Rom, RomModule, Timer } from '@ginit/core';
import { Machine, type MachineAction, type MachineAnswer, type MachineState } from '@ginit/core/machine';
import { Block, type BlockBackend, serveBlock } from '@ginit/core/block';
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
  /** Attributes of its config. */
  readonly attributes?: string;
  /** The machine's time, if it is not the real one. */
  readonly clock?: ManualClock;
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
  readonly #system: InProcessSystem;
  readonly #machines = new KeptMachines();
  #terminal: ServedTerminal | undefined;

  /** `config` is what stands in the config of the machine. */
  constructor(
    config: string,
    { roms = {}, disks = {}, ram = '20M', takesOutput = true, attributes = '', clock }: MachineSurroundings,
  ) {
    const files = component({ provides: [Rom] }, (env) => {
      env.provide(Rom, ({ label }) => new RomModule(roms[label.last]).open());
    });
    const terminal = component({ provides: [Terminal] }, (env) => {
      env.provide(Terminal, (session) => {
        const served = new ServedTerminal(session, {
          written: () => {
            if (takesOutput) this.output += new TextDecoder().decode(served.take());
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
      { files, terminal, control, time, vmm, ...Object.fromEntries(servers) },
      `<start name="files" ram="16M"> <provides> <service name="ROM"/> </provides> </start>
      <start name="terminal"> <provides> <service name="Terminal"/> </provides> </start>
      <start name="control"> <provides> <service name="Machine"/> </provides> </start>
      ${clock ? '<start name="time"> <provides> <service name="Timer"/> </provides> </start>' : ''}
      ${servers.map(([name]) => `<start name="${name}"> <provides> <service name="Block"/> </provides> </start>`).join('')}
      <start name="vmm" ram="${ram}"> <exit propagate="yes"/>
        <route>
          <service name="Terminal"> <child name="terminal"/> </service>
          <service name="Machine"> <child name="control"/> </service>
          ${clock ? '<service name="Timer"> <child name="time"/> </service>' : ''}
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

  /** Wants something of the machine, as `ginit vm` does. */
  async ask(action: MachineAction, ...words: readonly string[]): Promise<string | undefined> {
    return (await this.answer(action, ...words)).problem;
  }

  /** The same, with the whole answer. */
  answer(action: MachineAction, ...words: readonly string[]): Promise<MachineAnswer> {
    const none = { problem: 'there is no machine', content: undefined };
    return this.#machines.all[0]?.ask(action, words) ?? Promise.resolve(none);
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
