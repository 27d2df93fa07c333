/** What a service manager is told, and that it gets there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ComponentOverview, SystemOverview } from '@ginit/core/supervisor';
import type { ChildState } from '@ginit/core/system';
import { expect, test } from 'vitest';
import { DatagramReceiver, HAS_DATAGRAMS } from './datagram-receiver.ts';
import { notificationsTo, ServiceManager, watchdogMs } from '../src/command/service-manager.ts';

/** A system with one child in this state; `silent` has root init answer nothing. */
function overview(state: ChildState | 'silent', why?: string): SystemOverview {
  const child = {
    name: 'a',
    binary: 'a',
    state: state === 'silent' ? ('running' as const) : state,
    why,
    exitCode: undefined,
    restarts: 0,
    skippedHeartbeats: 0,
    isolation: 'thread' as const,
    ram: 1,
    caps: 1,
    sessions: [],
  };
  const root: ComponentOverview = {
    id: 1,
    label: 'init',
    placement: { kind: 'process', domain: 'init', pid: 1 },
    thread: 1,
    account: { ramQuota: 1, ramUsed: 0, capQuota: 1, capUsed: 0 },
    ramPeak: 0,
    heapBytes: undefined,
    statistics: undefined,
    use: undefined,
    children: state === 'silent' ? 'silent' : { children: [child], cut: false },
  };
  return { atUs: 0, components: [root], total: { ram: 1, caps: 1 } };
}

test('a service manager hears of ready, reloading, stopping and reasons, and of life only while init answers', async () => {
  const sent: string[] = [];
  let now = overview('incomplete', 'no route for Block "x"');
  const manager = new ServiceManager(
    { send: (text) => sent.push(text) },
    { overview: async () => now },
    3_600_000,
  );
  const look = async (next: SystemOverview): Promise<readonly string[]> => {
    now = next;
    await new Promise(setImmediate);
    sent.length = 0;
    await manager.look();
    return [...sent];
  };
  expect(await look(now)).toEqual(['WATCHDOG=1']);
  expect(await look(overview('waiting', 'for\n"b"'))).toEqual([
    'WATCHDOG=1',
    'STATUS=[init -> a] waiting: for "b"',
  ]);
  expect(await look(overview('running'))).toEqual(['WATCHDOG=1', 'READY=1\nSTATUS=complete']);
  expect(await look(overview('running'))).toEqual(['WATCHDOG=1']);
  expect(await look(overview('silent'))).toEqual(['STATUS=[init] silent: it does not answer']);
  expect(await look(overview('running'))).toEqual(['WATCHDOG=1', 'STATUS=complete']);
  sent.length = 0;
  manager.reloading(true);
  expect(sent[0]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=/);
  manager.reloading(false);
  expect(sent[1]).toBe('READY=1');
  manager.stopping();
  expect(sent.at(-1)).toBe('STOPPING=1\nSTATUS=stopping in order');
  expect(await look(overview('silent'))).toEqual(['WATCHDOG=1']);
  manager.close();
});

test('signs of life come twice in the time that the service manager waits, and only from the process that it means', () => {
  expect(watchdogMs({ WATCHDOG_USEC: '3000000' }, 7)).toBe(1500);
  expect(watchdogMs({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '7' }, 7)).toBe(1500);
  expect(watchdogMs({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '8' }, 7)).toBeUndefined();
  for (const WATCHDOG_USEC of ['', '0', 'x', '-1']) expect(watchdogMs({ WATCHDOG_USEC }, 7)).toBeUndefined();
});

test('without a service manager nobody is told, and an odd address is said', () => {
  expect(notificationsTo({})).toBeUndefined();
  expect(notificationsTo({ NOTIFY_SOCKET: 'relative' })).toContain('neither a path');
  expect(notificationsTo({ NOTIFY_SOCKET: `/${'x'.repeat(200)}` })).toContain('too long');
});

test('datagrams arrive at a socket of the file system and at an abstract one', ({ skip }) => {
  skip(!HAS_DATAGRAMS, 'datagrams are sent on Linux, with koffi');
  const directory = mkdtempSync(join(tmpdir(), 'gn-'));
  try {
    for (const name of [join(directory, 's'), `@ginit-test-${process.pid}`]) {
      using receiver = new DatagramReceiver(name);
      const to = notificationsTo({ NOTIFY_SOCKET: name });
      if (to === undefined || typeof to === 'string') throw new Error(String(to));
      expect(to.send('READY=1')).toBe(true);
      expect(receiver.take()).toEqual(['READY=1']);
    }
    const nobody = notificationsTo({ NOTIFY_SOCKET: join(directory, 'nobody') });
    if (nobody === undefined || typeof nobody === 'string') throw new Error(String(nobody));
    expect(nobody.send('READY=1')).toBe(false);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
