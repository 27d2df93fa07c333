/**
 * Lets a component die at every step of everything: after each frame that it sends or receives in a
 * run, from its start on. The others get an answer to every call, all quota returns to where it
 * belongs, and neither the supervisor nor any component keeps anything of the dead one.
 */
import { describe, expect, test } from 'vitest';
import type { Death } from '../../packages/core/test/in-process-platform.ts';
import { type CarrierKind, finish, type InProcessSystem } from '../harness/in-process-system.ts';
import { skipIfLong } from '../harness/long.ts';
import { type Diary, MORTALS, startDeathSystem } from './death-system.ts';

const BOUND_MS = 10_000;
/** The possible results of a step when a component has died. */
const ENDINGS: readonly string[] = ['ok', 'PeerGone', 'DENIED', 'Revoked', 'InternalError'];

interface Account {
  readonly ramQuota: number;
  readonly ramUsed: number;
  readonly capQuota: number;
  readonly capUsed: number;
}

/** The state of every component that is alive. */
interface State {
  readonly accounts: ReadonlyMap<string, Account>;
  /** The objects that others hold of each component, and that it holds of others. */
  readonly held: ReadonlyMap<string, number>;
}

async function stateOf({ supervisor, platform }: InProcessSystem): Promise<State> {
  const living = (await supervisor.summary()).filter(({ ended }) => !ended);
  const accounts = new Map(living.map(({ label, account }) => [label, account]));
  const held = new Map<string, number>();
  const count = (label: string, census = platform.census(label)): void => {
    const { channels = [] } = census ?? {};
    held.set(
      `${label} exports`,
      channels.reduce((sum, { exports }) => sum + exports, 0),
    );
    held.set(
      `${label} imports`,
      channels.reduce((sum, { imports }) => sum + imports, 0),
    );
  };
  for (const { label } of living) count(label);
  count('core', supervisor.census());
  return { accounts, held };
}

/**
 * The differences between `state` and the state without a death. The dead component is in nobody's
 * books.
 */
function differences(state: State, wanted: State, victim: string): string[] {
  const found: string[] = [];
  for (const [label, account] of wanted.accounts) {
    const now = state.accounts.get(label);
    if (label === victim || label === 'init') continue;
    // Objects that the dead component would have held are not held, so fewer capabilities may be in
    // use, but never more.
    const capUsed = Math.min(now?.capUsed ?? Number.POSITIVE_INFINITY, account.capUsed);
    if (JSON.stringify(now) !== JSON.stringify({ ...account, capUsed })) {
      found.push(`${label}: ${JSON.stringify(now)} instead of ${JSON.stringify(account)}`);
    }
  }
  for (const [what, number] of wanted.held) {
    const now = state.held.get(what) ?? 0;
    if (!what.startsWith(victim) && now > number) found.push(`${what}: ${now} instead of ${number}`);
  }
  return found;
}

/** Everything that is still open, or wrong, as text. */
async function troubles(
  system: InProcessSystem,
  diary: Diary,
  wanted: State,
  victim: string,
): Promise<string[]> {
  const found: string[] = [];
  const name = victim.slice('init -> '.length);
  if (name !== 'client' && !diary.done) found.push(`the client is at ${[...diary.steps.keys()].at(-1)}`);
  for (const [who, open] of diary.open)
    if (open > 0 && who !== name) found.push(`${who} waits for ${open} calls`);
  const core = system.supervisor.census();
  if (core.live.includes(victim)) found.push('core thinks it lives');
  for (const label of ['core', ...core.live]) {
    const census = label === 'core' ? core : system.platform.census(label);
    for (const { calls, peer } of census?.channels ?? []) {
      if (calls > 0) found.push(`${label} waits for ${calls} answers of ${peer}`);
      if (system.platform.dead.has(peer)) found.push(`${label} has a channel to the dead`);
    }
    if (census && census.introductions > 0)
      found.push(`${label} waits for ${census.introductions} introductions`);
  }
  return [...found, ...differences(await stateOf(system), wanted, victim)];
}

async function untilQuiet(find: () => Promise<string[]>): Promise<string[]> {
  const deadline = performance.now() + BOUND_MS;
  for (;;) {
    const found = await find();
    if (found.length === 0 || performance.now() > deadline) return found;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

interface PeacefulRun {
  readonly wanted: State;
  /** The frames that each component has seen, and those that core has heard of each. */
  readonly frames: ReadonlyMap<string, number>;
  readonly heard: ReadonlyMap<string, number>;
}

/** A run without a death. */
async function peacefulRun(kind: CarrierKind): Promise<PeacefulRun> {
  const { system, diary } = startDeathSystem(kind);
  const left = await untilQuiet(async () => (diary.done ? [] : ['the client is at work']));
  expect(left).toEqual([]);
  expect([...diary.steps].filter(([, outcome]) => outcome !== 'ok')).toEqual([]);
  const [frames, heard] = [new Map(system.platform.frames), new Map(system.platform.heard)];
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  const wanted = await stateOf(system);
  system.supervisor.end({ kind: 'exit', code: 0 });
  await finish(system);
  return { wanted, frames, heard };
}

async function runWith(kind: CarrierKind, death: Death, wanted: State): Promise<string[]> {
  const { system, diary } = startDeathSystem(kind);
  system.platform.death = death;
  const died = await untilQuiet(async () =>
    system.platform.death === undefined || diary.done ? [] : ['nobody has died yet'],
  );
  const found = [...died, ...(await untilQuiet(() => troubles(system, diary, wanted, death.label)))];
  for (const [step, outcome] of diary.steps) {
    if (!ENDINGS.includes(outcome)) found.push(`${step} ended with ${outcome}`);
  }
  system.supervisor.end({ kind: 'exit', code: 0 });
  await finish(system).catch((error: unknown) => found.push(String(error)));
  // A death is no reason for a complaint: neither for the supervisor, whose texts do not begin with
  // a label, nor for the runtime of the owner, whose object does nothing that could fail.
  found.push(...system.platform.complaints.filter((text) => !text.startsWith('[')));
  found.push(...system.platform.lines.filter((text) => text.startsWith('[init -> owner] Error')));
  return found;
}

const CASES = MORTALS.flatMap((mortal) => [
  { mortal, kind: 'shared', underWay: 'delivered' } as const,
  { mortal, kind: 'copying', underWay: 'lost' } as const,
  { mortal, kind: 'copying', underWay: 'heard with the end' } as const,
  { mortal, kind: 'tiny rings', underWay: 'delivered' } as const,
  { mortal, kind: 'bus', underWay: 'lost' } as const,
]);

describe('killed after every frame', () => {
  test.for(CASES)(
    'the $mortal ($kind; what is under way is $underWay)',
    { timeout: 120_000 },
    async (one, context) => {
      const { mortal, kind, underWay } = one;
      skipIfLong(context, kind === 'bus');
      const label = `init -> ${mortal}`;
      const { wanted, frames, heard } = await peacefulRun(kind);
      const coreOnly = underWay === 'heard with the end';
      const total = (coreOnly ? heard : frames).get(label) ?? 0;
      expect(total).toBeGreaterThan(coreOnly ? 4 : 10);
      const failures: Record<number, string[]> = {};
      for (let afterFrames = 1; afterFrames <= total; afterFrames++) {
        const found = await runWith(kind, { label, afterFrames, underWay }, wanted);
        if (found.length > 0) failures[afterFrames] = found;
      }
      expect(failures).toEqual({});
    },
  );
});
