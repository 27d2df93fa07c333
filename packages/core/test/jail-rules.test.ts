/**
 * Which access to files a jail's rules ask of the kernel, and by what a process is known to be
 * locked up.
 */
import { expect, test } from 'vitest';
import { FILE_ACCESS } from '../src/platform/jail/landlock.ts';
import { type JailGrant, pathRules } from '../src/platform/jail/rules.ts';
import { missingIn } from '../src/platform/jail/verify.ts';

function accessOf(grant: JailGrant): number | undefined {
  return pathRules({ code: [], grants: [grant] }).at(0)?.access;
}

test('a socket to listen on lets its directory have sockets, and no file there be removed', () => {
  const rules = pathRules({
    code: [],
    grants: [{ kind: 'unix-listen', access: 'rw', target: '/srv/my/own.sock' }],
  });
  expect(rules).toEqual([{ path: '/srv/my', access: FILE_ACCESS.makeSocket, needed: true }]);
});

test('no grant allows links', () => {
  for (const kind of ['file', 'directory', 'device', 'unix-listen', 'unix-connect'] as const)
    expect((accessOf({ kind, access: 'rw', target: '/srv/my' }) ?? 0) & FILE_ACCESS.makeLink).toBe(0);
});

/** The kernel's statement about a thread. */
function status(fields: Readonly<Record<string, string>>): string {
  const all = {
    NoNewPrivs: '1',
    CapPrm: '0000000000000000',
    CapEff: '0000000000000000',
    Seccomp: '2',
    Seccomp_filters: '2',
    ...fields,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('');
}

test('a thread is locked up if it has a filter more than its process was born under', () => {
  expect(missingIn(status({}), 0)).toBeUndefined();
  expect(missingIn(status({}), 1)).toBeUndefined();
  expect(missingIn(status({}), 2)).toBe('the filter of the jail');
  expect(missingIn(status({ Seccomp_filters: '1' }), 1)).toBe('the filter of the jail');
  expect(missingIn(status({}).replace(/Seccomp_filters.*\n/, ''), 0)).toBe('the filter of the jail');
  expect(missingIn(status({ Seccomp: '0' }), 0)).toBe('a filter of system calls');
  expect(missingIn(status({ NoNewPrivs: '0' }), 0)).toBe('no_new_privs');
  expect(missingIn(status({ CapPrm: '0000000000000001' }), 0)).toBe('none to be had');
});
