/** dummy: commands in their order, again with every new version. */
import { Log, Rom } from '@ginit/core';
import { ConfigNode } from '@ginit/core/config';
import { runComponent, script } from '@ginit/core/testing';
import { describe, expect, test } from 'vitest';
import dummy from '../src/dummy/main.ts';

type Attributes = Readonly<Record<string, string | number>>;
const command = (type: string, attributes: Attributes = {}): ConfigNode => ConfigNode.make(type, attributes);
const configOf = (version: string | undefined, ...commands: ConfigNode[]): ConfigNode =>
  ConfigNode.make('config', { version }, commands);
const log = (string: string): ConfigNode => command('log', { string });

describe('dummy', () => {
  test('carries out the commands of a config in their order, and exits with a code', async () => {
    const config = configOf(
      'first',
      log('one'),
      command('sleep', { ms: 5 }),
      log('two'),
      command('exit', { code: 3 }),
      log('never'),
    );
    await using run = await runComponent(dummy, { config });
    expect(run.log).toEqual(['config 1: first', 'one']);
    await run.advance(5);
    expect(await run.exited()).toBe(3);
    expect(run.log).toEqual(['config 1: first', 'one', 'two']);
  });

  test('carries out a newer config if its version has changed, and counts those', async () => {
    await using run = await runComponent(dummy, { config: configOf(undefined, log('quiet')) });
    await run.configure(configOf(undefined, log('same version')));
    await run.configure(configOf('a', log('changed')));
    await run.configure(configOf('a', log('same version')));
    await run.configure(configOf('b'));
    expect(run.log).toEqual(['quiet', 'config 2: a', 'changed', 'config 3: b']);
  });

  test('finishes one config before it looks at the next, and skips those between', async () => {
    await using run = await runComponent(dummy, {
      config: configOf('a', command('sleep', { ms: 10 }), log('end of a')),
    });
    await run.configure(configOf('b', log('skipped')));
    await run.configure(configOf('c', log('newest')));
    expect(run.log).toEqual(['config 1: a']);
    await run.advance(10);
    expect(run.log).toEqual(['config 1: a', 'end of a', 'config 2: c', 'newest']);
  });

  test('that sleeps forever carries out nothing more', async () => {
    await using run = await runComponent(dummy, {
      config: configOf('a', command('sleep_forever'), log('never')),
    });
    await run.configure(configOf('b', log('never')));
    expect(run.log).toEqual(['config 1: a']);
  });

  test('opens LOG sessions with more RAM, and closes them', async () => {
    const config = configOf('a', command('create_log_connections', { count: 3, ram_upgrade: '100K' }));
    await using run = await runComponent(dummy, { config });
    expect(run.log.slice(1)).toEqual(['going to create 3 LOG connections', 'created all LOG connections']);
    const during = await run.account();
    await run.configure(configOf('b', command('destroy_log_connections')));
    const after = await run.account();
    expect(after.ramQuota - during.ramQuota).toBeGreaterThanOrEqual(300 * 1024);
    expect(run.log.at(-1)).toBe('destroyed all LOG connections');
    // Nothing is left to be closed.
    await run.configure(configOf('c', command('destroy_log_connections')));
    expect(run.log.at(-1)).toBe('config 3: c');
  });

  test('provides LOG, and takes its time to close sessions of it', async () => {
    await using run = await runComponent(dummy, {
      config: configOf('a', command('log_service', { delay_close_ms: 50 })),
    });
    const client = await run.client('client');
    const session = await client.connect(Log, { label: 'x' });
    await session.write('hello\nworld');
    expect(run.log.slice(1)).toEqual(['[client -> x] hello', '[client -> x] world']);
    let closed = false;
    const closing = client.env.close(session).then(() => (closed = true));
    await run.settle();
    expect(closed).toBe(false);
    await run.advance(50);
    await closing;
  });

  test('consumes RAM and capabilities; a further command frees what the one before has taken', async () => {
    await using run = await runComponent(dummy, { config: configOf('a') });
    const before = await run.account();
    await run.configure(
      configOf('b', command('consume_ram', { amount: '1M' }), command('consume_caps', { amount: 20 })),
    );
    const during = await run.account();
    expect(during.ramUsed - before.ramUsed).toBe(2 ** 20);
    expect(during.capUsed - before.capUsed).toBe(21);
    await run.configure(configOf('c', command('consume_ram', { amount: '512K' }), command('consume_caps')));
    const after = await run.account();
    expect(after.ramUsed - before.ramUsed).toBe(2 ** 19);
    expect(after.capUsed - before.capUsed).toBe(1);
    expect(run.log).toEqual([
      'config 1: a',
      'config 2: b',
      'consume 1M bytes of memory',
      'consume 20 caps',
      'config 3: c',
      'release 1M bytes of memory',
      'consume 512K bytes of memory',
      'release 20 caps',
    ]);
  });

  test('that consumes more than its quota asks its parent for what is missing, and waits for it', async () => {
    const config = configOf('a', command('consume_ram', { amount: '2M' }), log('done'));
    await using run = await runComponent(dummy, { config, quota: { ram: 2 ** 20, caps: 100 } });
    const { ramQuota, ramUsed } = await run.account();
    expect(run.requested).toEqual({ ram: 2 ** 21 - (ramQuota - ramUsed), caps: 0 });
    expect(run.log.at(-1)).toBe('consume 2M bytes of memory');
    await run.give({ ram: 2 ** 21, caps: 0 });
    await run.settle();
    expect(run.log.at(-1)).toBe('done');
  });

  test('frees what it has consumed when its parent wants some back, if it was told to', async () => {
    const consume = [command('consume_ram', { amount: '1M' }), command('consume_caps', { amount: 10 })];
    await using run = await runComponent(dummy, {
      config: configOf('a', ...consume, command('handle_yield_requests')),
    });
    const before = await run.account();
    await run.askToYield({ ram: 2 ** 20, caps: 0 });
    await run.settle();
    const after = await run.account();
    expect(before.ramUsed - after.ramUsed).toBe(2 ** 20);
    expect(run.log.slice(3)).toEqual(['got yield request', 'release 1M bytes of memory', 'release 10 caps']);
  });

  test('a command that does not exist is refused with a hint', async () => {
    const run = await runComponent(dummy, { config: configOf('a', command('slep')) });
    expect((await run.crashed()).reason).toContain(
      'unknown element <slep> in <config> (did you mean <sleep>?)',
    );
    await run.end();
  });

  test('needs no other session than it is told to open', async () => {
    const run = await runComponent(dummy, {
      config: configOf('a', log('x')),
      services: [script(Rom, () => expect.unreachable())],
    });
    expect((await run.end()).refused).toEqual([]);
  });
});
