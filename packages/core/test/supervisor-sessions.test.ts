/**
 * Sessions of core's own services one by one: what they do with time, lines and grants, and what
 * they refuse.
 */
import { describe, expect, test } from 'vitest';
import { component, hasCode, Rom } from '@ginit/core';
import { Cpu, Parent, Pd } from '@ginit/core/system';
import { implementationOf } from '../src/capability/capability.ts';
import type { ResolvedGrant } from '../src/runtime/host-access.ts';
import { RomModule } from '../src/runtime/rom-module.ts';
import type { StartOptions } from '../src/session/cpu.ts';
import { Account } from '../src/supervisor/account.ts';
import { BinaryRom, binaryOf, type ResolvedBinary } from '../src/supervisor/binary-service.ts';
import { Components } from '../src/supervisor/components.ts';
import { type SupervisorSession, SupervisorServices } from '../src/supervisor/supervisor-services.ts';
import { TraceService } from '../src/supervisor/trace-service.ts';
import { type CpuMeans, CpuSession } from '../src/supervisor/cpu-session.ts';
import { GrantTable, grantOf } from '../src/supervisor/host-grants.ts';
import { LogSession } from '../src/supervisor/log-session.ts';
import { accountOf, PdSession } from '../src/supervisor/pd-service.ts';
import type { ComponentSpecification } from '../src/supervisor/platform.ts';
import { ThreadsByAccount } from '../src/supervisor/threads-by-account.ts';
import { TimerSession } from '../src/supervisor/timer-session.ts';
import { LIMITS } from '../src/limits.ts';
import { visibleLines } from '../src/log-text.ts';
import { InProcessPlatform } from './in-process-platform.ts';
import { TestClock } from './test-clock.ts';
import { uniformParent } from './test-parent.ts';

const never = (): Promise<never> => new Promise(() => {});

describe('LOG', () => {
  test('every line has the label, and none steers the terminal', async () => {
    const lines: string[] = [];
    const log = new LogSession(
      { writeLog: async (text, prefix) => void lines.push(...visibleLines(text, prefix)) },
      'init -> a',
    );
    await log.write('one\n[init] two\r\nthree \u001b[2J');
    expect(lines).toEqual(['[init -> a] one', '[init -> a] [init] two', '[init -> a] three \\x1b[2J']);
  });

  test('text that waits for the output is bounded, and makes room once it is written or has failed', async () => {
    const waiting: { resolve(): void; reject(error: Error): void }[] = [];
    const writeLog = (): Promise<void> =>
      new Promise((resolve, reject) => void waiting.push({ resolve, reject }));
    const log = new LogSession({ writeLog }, 'a');
    const half = 'x'.repeat(LIMITS.logSessionCharacters / 2 - LIMITS.logCallCharacters);
    const refused = (): Promise<boolean> =>
      log.write('x').then(
        () => false,
        (error: unknown) => hasCode(error, 'LimitExceeded'),
      );
    const [first, second] = [log.write(half), log.write(half)];
    expect(await refused()).toBe(true);
    waiting[0]?.resolve();
    waiting[1]?.reject(new Error('no output'));
    await first;
    await expect(second).rejects.toThrow('no output');
    void log.write(half + half);
    expect(await refused()).toBe(true);
  });
});

describe('Timer', () => {
  function bench() {
    const clock = new TestClock();
    const timer = new TimerSession({
      monotonicUs: () => clock.monotonicUs(),
      after: (us, handler) => clock.after(us, handler),
      wallClockMs: () => 1234,
    });
    const seen = { woken: 0, freed: 0 };
    const handler = { submit: () => void seen.woken++, [Symbol.dispose]: () => void seen.freed++ };
    timer.setHandler(handler);
    return { clock, timer, seen, handler };
  }

  test('wakes once, and a later request replaces an earlier one of either kind', async () => {
    const { clock, timer, seen } = bench();
    timer.triggerOnce(1000);
    timer.triggerOnce(5000);
    await clock.passMs(4);
    expect(seen.woken).toBe(0);
    await clock.passMs(10);
    expect(seen.woken).toBe(1);
    timer.triggerPeriodic(1000);
    timer.triggerOnce(2500);
    await clock.passMs(10);
    expect(seen.woken).toBe(2);
    timer.triggerOnce(1000);
    timer.triggerPeriodic(2500);
    await clock.passMs(2);
    expect(seen.woken).toBe(2);
  });

  test('wakes again and again, until it is told not to, or closed', async () => {
    const { clock, timer, seen } = bench();
    timer.triggerPeriodic(1000);
    await clock.passMs(10);
    expect(seen.woken).toBe(10);
    timer.triggerPeriodic(0);
    await clock.passMs(10);
    expect(seen.woken).toBe(10);
    timer.triggerPeriodic(1000);
    timer[Symbol.dispose]();
    await clock.passMs(10);
    expect(seen).toEqual({ woken: 10, freed: 1 });
    expect(clock.pending).toBe(0);
  });

  test('tells the time since it was opened, and gives back a handler that is replaced', async () => {
    const clock = new TestClock();
    await clock.passMs(7);
    const timer = new TimerSession({
      monotonicUs: () => clock.monotonicUs(),
      after: (us, handler) => clock.after(us, handler),
      wallClockMs: () => 1234,
    });
    await clock.passMs(3);
    expect([timer.elapsedUs(), timer.currentTimeMs()]).toEqual([3000, 1234]);
    const { timer: other, seen, handler } = bench();
    other.setHandler(handler);
    expect(seen.freed).toBe(1);
  });
});

/** A core with a platform that says what it was asked to start. */
function core() {
  const started: ComponentSpecification[] = [];
  class Watched extends InProcessPlatform {
    override start(...args: Parameters<InProcessPlatform['start']>): ReturnType<InProcessPlatform['start']> {
      started.push(args[0]);
      return super.start(...args);
    }
  }
  const platform = new Watched('copying', new Map([['idle', component({}, () => {})]]));
  const components = new Components(platform, () => {});
  const threads = new ThreadsByAccount();
  const observer = { started: () => {}, ended: () => {} };
  const traces = new TraceService({ components, platform });
  const parts = { components, platform, observer, threads, traces };
  const { entrypoint } = components;
  const account = new Account('account', { ram: 2 ** 20, caps: 100 });
  const options = (binary: ResolvedBinary, more: Partial<StartOptions> = {}): StartOptions => ({
    pd: entrypoint.export(Pd, new PdSession(account, threads)),
    parent: entrypoint.export(Parent, uniformParent(never)),
    binary: entrypoint.export(Rom, new BinaryRom(binary)),
    isolation: 'process',
    grants: [],
    ...more,
  });
  const cpu = (label = 'init -> child', means: Partial<CpuMeans> = {}): CpuSession =>
    new CpuSession(parts, label, { scheduling: { affinity: [], priority: 0 }, confined: false, ...means });
  const config = new RomModule(new TextEncoder().encode('the config'));
  const find = (name: string): ResolvedBinary | undefined => (name === 'idle' ? IDLE : undefined);
  const services = new SupervisorServices(parts, config, find);
  const open = (service: string, label: string): SupervisorSession =>
    services.open(service, { id: 1, label, args: {}, ram: 2 ** 20, caps: 100 });
  return { entrypoint, account, started, threads, options, cpu, open };
}

const IDLE: ResolvedBinary = { moduleUrl: 'idle', files: ['idle.js'], takes: 'nothing' };
const DISK: ResolvedGrant = { kind: 'file', path: 'disk.img', access: 'rw', target: '/there/disk.img' };
const TEXT: ResolvedGrant = { kind: 'file', path: 'text', access: 'ro', target: '/there/text' };

describe('CPU', () => {
  test('starts the binary that it was handed, where and how the options say', () => {
    const { cpu, options, started } = core();
    cpu().start(options(IDLE, { domain: 'mine', heap: 7, hostDepth: 3 }));
    cpu('init -> mid -> child').start(options(IDLE, { isolation: 'thread', jail: 'required' }));
    expect(started).toEqual([
      expect.objectContaining({
        label: 'init -> child',
        moduleUrl: 'idle',
        files: ['idle.js'],
        domain: 'mine',
        ownProcess: true,
        heapBytes: 7,
        hostDepth: 3,
        jail: 'default',
        confined: false,
      }),
      // Domains are named within the subtree of who starts.
      expect.objectContaining({ domain: 'mid -> main', ownProcess: false, jail: 'required' }),
    ]);
  });

  test.each(['', 'two\nlines', '\x1b[2J', '\u2028', 'other -> main', ' main'])(
    'a domain is not named %j',
    (domain) => {
      const { cpu, options, started } = core();
      const starting = (): unknown => cpu().start(options(IDLE, { isolation: 'thread', domain }));
      expect(starting).toThrow(expect.objectContaining({ code: 'DENIED' }));
      expect(started).toEqual([]);
    },
  );

  test('a closed session starts nothing, and ends the components that it has started', async () => {
    const { cpu, options, started, account } = core();
    const session = cpu();
    session.start(options(IDLE));
    await session[Symbol.asyncDispose]();
    expect(account.state).toMatchObject({ ramUsed: 0, capUsed: 0 });
    expect(() => session.start(options(IDLE))).toThrow('the CPU session is closed');
    expect(started.length).toBe(1);
  });

  test('a jailed component starts only jailed components', () => {
    const { cpu, options, started } = core();
    const confined = cpu('init -> mid -> child', { confined: true });
    expect(() => confined.start(options(IDLE, { isolation: 'thread' }))).toThrow(
      'isolation "thread" is refused',
    );
    expect(() => confined.start(options(IDLE, { jail: 'no' }))).toThrow('jail "no" is refused');
    expect(started).toEqual([]);
    confined.start(options(IDLE));
    expect(started).toEqual([expect.objectContaining({ confined: true })]);
  });

  test('a driver is started only with a grant, and a component that hands grants on uses none of them', () => {
    const { cpu, options, started, entrypoint } = core();
    const grants = [new GrantTable(entrypoint, [DISK]).capability(DISK)];
    const driver = { ...IDLE, takes: 'grant' as const };
    expect(() => cpu().start(options(driver))).toThrow('with a host grant only');
    cpu().start(options(driver, { grants }));
    cpu().start(options({ ...IDLE, handsOn: true }, { grants }));
    expect(started).toEqual([
      expect.objectContaining({ grants: [DISK], usedGrants: [DISK] }),
      expect.objectContaining({ grants: [DISK], usedGrants: [] }),
    ]);
  });

  test('a driver with which the starter is not trusted is started in a jail, or not at all', () => {
    const { cpu, options, started, entrypoint } = core();
    const grants = [new GrantTable(entrypoint, [DISK]).capability(DISK)];
    const driver = { ...IDLE, takes: 'grant and jail' as const };
    expect(() => cpu().start(options(driver))).toThrow('with a host grant only');
    const freer: Partial<StartOptions>[] = [{ isolation: 'thread' }, { jail: 'no' }];
    for (const more of freer) {
      expect(() => cpu().start(options(driver, { grants, ...more }))).toThrow(
        'as a process with a jail only',
      );
    }
    cpu().start(options(driver, { grants, jail: 'default' }));
    expect(started).toEqual([expect.objectContaining({ ownProcess: true, jail: 'required' })]);
  });
});

describe('the services', () => {
  test('are those that the supervisor provides, and no others', () => {
    const { open } = core();
    for (const service of SupervisorServices.names.filter((name) => name !== 'ROM')) {
      expect(() => open(service, 'init -> a')).not.toThrow();
    }
    expect(() => open('Nothing', 'init -> a')).toThrow('core provides no service "Nothing"');
  });

  test('ROM has binaries by the last name of the label, and the config for the root only', () => {
    const { open } = core();
    const behind = (label: string): object | undefined =>
      implementationOf(Rom, open('ROM', label).capability);
    expect(behind('init -> a -> idle')).toBeInstanceOf(BinaryRom);
    expect(behind('init -> config')).not.toBeInstanceOf(BinaryRom);
    for (const label of ['init -> a -> config', 'config', 'init -> nothing'])
      expect(() => open('ROM', label)).toThrow('core has no ROM');
  });

  test('a closed CPU session has ended the components that it has started', async () => {
    const { open, options, account } = core();
    const { capability, close } = open('CPU', 'init -> a');
    const session = implementationOf(Cpu, capability);
    if (!(session instanceof CpuSession)) throw new Error('no CPU session');
    session.start(options(IDLE));
    expect(account.state.capUsed).toBeGreaterThan(0);
    await close();
    expect(account.state).toMatchObject({ ramUsed: 0, capUsed: 0 });
    expect(implementationOf(Cpu, capability)).not.toBe(session);
  });

  test('a PD session is closed when the components on its account have ended, and the account with them', async () => {
    const { open, threads } = core();
    const { capability, close } = open('PD', 'init -> a');
    const account = accountOf(capability);
    let dissolve = (): void => {};
    threads.add(account, {
      dissolve: () =>
        new Promise((resolve) => {
          dissolve = resolve;
        }),
    });
    let closed = false;
    const closing = close().then(() => {
      closed = true;
    });
    await new Promise(setImmediate);
    expect([closed, account.ended]).toEqual([false, false]);
    dissolve();
    await new Promise(setImmediate);
    // A thread that was started on it meanwhile ends after it.
    expect([closed, account.ended]).toEqual([false, true]);
    dissolve();
    await closing;
  });
});

describe('capabilities that the supervisor recognises', () => {
  test('a grant gives what the component has of it, or less, and nothing else', () => {
    const { entrypoint } = core();
    const table = new GrantTable(entrypoint, [DISK, TEXT]);
    expect(grantOf(table.capability(DISK))).toEqual(DISK);
    expect(grantOf(table.capability({ ...DISK, access: 'ro' }))).toEqual({ ...DISK, access: 'ro' });
    expect(grantOf(table.capability(TEXT))).toEqual(TEXT);
    expect(() => table.capability({ ...TEXT, access: 'rw' })).toThrow('no such grant');
    expect(() => table.capability({ ...DISK, path: 'other' })).toThrow('no such grant');
  });

  test('grants that are replaced are withdrawn, those that stay are not, and new ones can be had', async () => {
    const { entrypoint } = core();
    const table = new GrantTable(entrypoint, [DISK]);
    const disk = table.capability(DISK);
    table.replace([TEXT, { ...DISK }]);
    expect(grantOf(table.capability(DISK))).toBe(grantOf(disk));
    expect(grantOf(table.capability(TEXT))).toEqual(TEXT);
    table.replace([TEXT]);
    expect(() => table.capability(DISK)).toThrow('no such grant');
    await expect(disk.fact()).rejects.toMatchObject({ code: 'Revoked' });
    table.replace([{ ...DISK, target: 'elsewhere' }]);
    expect(grantOf(table.capability(DISK))).toMatchObject({ target: 'elsewhere' });
  });

  test('one grant is one object, however often it is asked for', () => {
    const { entrypoint } = core();
    const table = new GrantTable(entrypoint, [DISK]);
    const [first, again, less] = [
      table.capability(DISK),
      table.capability(DISK),
      table.capability({ ...DISK, access: 'ro' }),
    ];
    expect(grantOf(again)).toBe(grantOf(first));
    expect(grantOf(less)).not.toBe(grantOf(first));
  });

  test('a binary has nothing to be read, and never changes', () => {
    const binary = new BinaryRom(IDLE);
    let freed = 0;
    binary.setHandler({ [Symbol.dispose]: () => void freed++ });
    expect([binary.dataspace(), binary.update(), freed]).toEqual([null, false, 1]);
  });

  test('objects of other components are no grants, binaries or accounts, whatever their interface', () => {
    const { entrypoint, account } = core();
    const rom = entrypoint.export(Rom, new RomModule(new Uint8Array()).open());
    expect(() => binaryOf(rom)).toThrow('the ROM session is no binary of core');
    expect(() => grantOf(rom)).toThrow('not a host grant of this core');
    expect(() => accountOf(rom)).toThrow('not a PD of this core');
    expect(binaryOf(entrypoint.export(Rom, new BinaryRom(IDLE)))).toBe(IDLE);
    const pd = entrypoint.export(Pd, new PdSession(account, new ThreadsByAccount()));
    expect(accountOf(pd)).toBe(account);
  });
});
