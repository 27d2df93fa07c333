/**
 * Tests what init keeps for itself (`<resource preserve>`): when children start, and when they are
 * given more. `ginit check` computes as init does, down to the last capability.
 */
import { component, rpc, session, text } from '@ginit/core';
import { readXml } from '@ginit/core/config';
import { describe, expect, test } from 'vitest';
import { checkConfig } from '../../packages/init/src/check/index.ts';
import { initStartCost, PRESERVE_DEFAULT, readInitConfig } from '../../packages/init/src/model/index.ts';
import { configOf, finish, startSystem } from '../harness/in-process-system.ts';
import { laboratory } from '../harness/laboratory.ts';

const Store = session('Store', { read: rpc<() => string>({ args: [], result: text() }) });
const server = component({ provides: [Store] }, (env) => {
  env.provide(Store, () => ({ read: () => 'done' }));
});
/** Waits for its server, so that init uses its timer. */
const client = component({ requires: [Store] }, async (env) => {
  await env.log(await (await env.connect(Store)).read());
  env.exit(0);
});
const idle = component({}, () => {});

const PAIR = `<start name="server" caps="100" ram="4M"> <provides> <service name="Store"/> </provides> </start>
  <start name="client" caps="100" ram="4M"> <exit propagate="yes"/> </start>`;

/**
 * A nested init with as much quota as its children, its own start and what it keeps come to, and
 * `more`.
 */
function nested(more: { readonly ram: number; readonly caps: number }, around = ''): string {
  const start = (ram: number, caps: number): string =>
    `<start name="sub" ram="${ram}" caps="${caps}"> <binary name="init"/> <exit propagate="yes"/>
      ${configOf(around + PAIR)} </start>`;
  const [node] = readInitConfig(readXml(configOf(start(0, 0)), 'x.xml')).config.starts;
  if (!node) throw new Error('there is no start node');
  const own = initStartCost(node);
  const ram = 2 * 4 * 1024 ** 2 + own.ram + PRESERVE_DEFAULT.ram + more.ram;
  return start(ram, 200 + own.caps + PRESERVE_DEFAULT.caps + more.caps);
}

function complaints(starts: string): string[] {
  const { config } = readInitConfig(readXml(configOf(starts), 'x.xml'));
  return checkConfig(config, new Map(), { quota: { ram: 2 ** 30, caps: 10_000 } }).errors.map(
    ({ text: it }) => it,
  );
}

describe('a nested init that has just enough', () => {
  test('passes the check, and starts all of its children', async () => {
    const starts = nested({ ram: 0, caps: 0 });
    expect(complaints(starts)).toEqual([]);
    const system = startSystem('shared', { server, client }, starts);
    const { end, lines } = await finish(system);
    expect(lines.filter((line) => line.includes('client'))).toEqual([
      '[init -> sub -> client] done',
      '[init -> sub] child "client" exited with exit value 0',
    ]);
    expect(end).toEqual({ kind: 'exit', code: 0 });
  });

  test.each([
    // The account may hear of the handler of its config only after the first child has been paid.
    ['two capabilities', { ram: 0, caps: -2 }, 'capability'],
    ['a page of RAM', { ram: -4096, caps: 0 }, 'RAM'],
  ])('is refused with %s less, and would not start its last child', async (_what, more, kind) => {
    const starts = nested(more);
    expect(complaints(starts)).toEqual([
      expect.stringMatching(/^the children need .* together, but init has/),
    ]);
    const { end, lines } = await finish(startSystem('shared', { server, client }, starts));
    expect(lines.filter((line) => line.includes('cannot be started'))).toEqual([
      expect.stringContaining(`child "client" cannot be started: not enough ${kind} quota`),
    ]);
    expect(end).toEqual({ kind: 'exit', code: 1 });
  });

  test('may say that it keeps nothing', async () => {
    const none = '<resource name="RAM" preserve="0"/> <resource name="CAP" preserve="0"/>';
    const starts = nested({ ram: -PRESERVE_DEFAULT.ram, caps: -PRESERVE_DEFAULT.caps }, none);
    expect(complaints(starts)).toEqual([]);
  });
});

describe('what init keeps', () => {
  const keeping = (ram: string): string => `<parent-provides>
      <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
    </parent-provides> <resource name="RAM" preserve="${ram}"/>
    <default-route> <any-service> <parent/> </any-service> </default-route>`;
  const start = (ram: string): string => `<start name="idle" ram="${ram}"/>`;

  test('more than there is: an error, once for each config, and nothing for children', async () => {
    await laboratory({ idle }, async ({ apply, conserved, lines, shows, until }) => {
      const words = 'Error: RAM preservation exceeds available memory';
      await apply(start('1M'), keeping('300M'));
      await until(() => lines('cannot be started').length === 1);
      expect(lines(words)).toHaveLength(1);
      await conserved();
      await apply(start('1M'), keeping('301M'));
      await until(() => lines('cannot be started').length === 2);
      expect(lines(words)).toHaveLength(2);
      await apply(start('1M'), keeping('1M'));
      await shows('idle#3 running');
      expect(lines(words)).toHaveLength(2);
    });
  });

  test('is not given to a child that starts, nor to one that is to have more', async () => {
    await laboratory({ idle }, async ({ apply, lines, quota, shows, until }) => {
      await apply(start('150M'), keeping('100M'));
      await until(() => lines('cannot be started: not enough RAM quota').length === 1);
      await apply(start('50M'), keeping('100M'));
      await shows('idle#2 running');
      await apply(start('150M'), keeping('100M'));
      await shows('idle#2 running');
      expect((quota('idle')?.ram ?? 0) / 1024 ** 2).toBeGreaterThan(98);
      expect((quota('idle')?.ram ?? 0) / 1024 ** 2).toBeLessThan(100);
      await apply(start('150M'), keeping('1M'));
      expect((quota('idle')?.ram ?? 0) / 1024 ** 2).toBeGreaterThan(149);
    });
  });
});
