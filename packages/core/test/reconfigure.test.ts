/**
 * A new config of the whole system: what root init may still use of the one before, until it goes
 * by the new one.
 */
import { component, type Env, hasCode, Rom } from '@ginit/core';
import { deferred } from '../src/async/deferred.ts';
import type { ResolvedGrant } from '../src/runtime/host-access.ts';
import { Supervisor, type SystemConfig } from '../src/supervisor.ts';
import { expect, test } from 'vitest';
import { type CarrierKind, InProcessPlatform } from './in-process-platform.ts';

const grantTo = (path: string): ResolvedGrant => ({ kind: 'file', path, access: 'ro', target: `/${path}` });
const systemOf = (name: string): SystemConfig => ({
  grants: [grantTo(name)],
  findBinary: (wanted) => (wanted === name ? { moduleUrl: name, files: [], takes: 'nothing' } : undefined),
  config: new TextEncoder().encode(`<config name="${name}"/>`),
});

/** A root component that says which grants and binaries it can get. */
function rooted(kind: CarrierKind) {
  const begun = deferred<Env>();
  const seen: (string | undefined)[] = [];
  const root = component({}, (env) => {
    env.config.onUpdate((node) => void seen.push(node.value('name')));
    begun.resolve(env);
  });
  const platform = new InProcessPlatform(kind, new Map([['root', root]]));
  const supervisor = new Supervisor(platform, {
    binary: { moduleUrl: 'root', files: [], takes: 'nothing' },
    ...systemOf('a'),
    quota: { ram: 2 ** 26, caps: 1000 },
    observer: { crashed: () => {}, warning: () => {} },
  });
  void supervisor.run();
  const may = async (name: string): Promise<boolean> => {
    const env = await begun.promise;
    const { kind: what, path, access } = grantTo(name);
    const refused = (error: unknown): boolean => {
      if (hasCode(error, 'NotGranted') || hasCode(error, 'DENIED')) return false;
      throw error;
    };
    const rom = env.connect(Rom, { label: name }).then((session) => env.close(session));
    const results = await Promise.all(
      [env.host.grant({ kind: what, path, access }), rom].map((one) => one.then(() => true, refused)),
    );
    expect(results[0]).toBe(results[1]);
    return results[0] === true;
  };
  return { supervisor, may, seen, begun: begun.promise, [Symbol.asyncDispose]: () => supervisor.stop(1000) };
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000 && !(await what()); tries++) await new Promise(setImmediate);
  expect(await what()).toBe(true);
}

test.each(['shared', 'copying', 'rings'] as const)(
  'grants and binaries of the config before can be had until root init goes by the new one (%s)',
  async (kind) => {
    await using it = rooted(kind);
    await it.begun;
    expect([await it.may('a'), await it.may('b')]).toEqual([true, false]);
    it.supervisor.reconfigure(systemOf('b'));
    // It does not know yet, so it may be starting a child by the old config.
    expect(it.seen).toEqual([]);
    expect(await Promise.all([it.may('a'), it.may('b')])).toEqual([true, true]);
    await until(async () => !(await it.may('a')));
    expect(it.seen).toEqual(['b']);
    expect(await it.may('b')).toBe(true);
  },
);

test('a grant that was withdrawn is refused as such, and not for its access', async () => {
  await using it = rooted('shared');
  const { host } = await it.begun;
  const granted = grantTo('a');
  const refusal = (access: 'ro' | 'rw') => host.grant({ ...granted, access }).then(() => '', String);
  expect(await refusal('rw')).toContain('grants the file "a" for reading only');
  it.supervisor.reconfigure(systemOf('b'));
  await until(async () => (await refusal('ro')) !== '');
  expect(await refusal('ro')).toContain('does not grant the file "a" any more');
});

test('grants that root init has not taken are bounded like the configs that they came with', async () => {
  await using it = rooted('shared');
  const { host } = await it.begun;
  for (let index = 0; index < 100; index++) it.supervisor.reconfigure(systemOf(`c${index}`));
  const asked = Array.from({ length: 100 }, (_, index) => it.may(`c${index}`));
  expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(16);
  expect(host.grants.map(({ path }) => path)).toEqual(['a']);
});

test('a config that comes again takes nothing from the one between', async () => {
  await using it = rooted('shared');
  await it.begun;
  const [a, b] = [systemOf('a'), systemOf('b')];
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
  };
  for (let before = 0; before < 8; before++) {
    for (let between = 0; between < 8; between++) {
      it.supervisor.reconfigure(a);
      await turns(before);
      it.supervisor.reconfigure(b);
      await turns(between);
      it.supervisor.reconfigure(a);
      expect(await it.may('b'), `${before}, ${between}`).toBe(true);
      await until(async () => !(await it.may('b')));
    }
  }
});

test('of several configs in a row all can be had until the last one is taken', async () => {
  await using it = rooted('shared');
  await it.begun;
  for (const name of ['b', 'c', 'd']) it.supervisor.reconfigure(systemOf(name));
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(it.may))).toEqual([true, true, true, true]);
  await until(async () => !(await it.may('a')));
  expect(await Promise.all(['b', 'c', 'd'].map(it.may))).toEqual([false, false, true]);
  expect(it.seen.at(-1)).toBe('d');
});
