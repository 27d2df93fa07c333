/**
 * Locks this process up for good, with every thread that it has and will have. To be called on the
 * main thread, after everything that must be read or started without rules, and before any code
 * that is not trusted.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { totalmem } from 'node:os';
import { LIMITS } from '../../limits.ts';
import { LOOK_FLAGS, standsAt } from '../host/granted-place.ts';
import { jailPolicy, NO_THREADS_POLICY } from './call-policy.ts';
import { ERRNO } from './call-numbers.ts';
import { onEveryThread, type ThreadCall } from './every-thread.ts';
import { filterCode, filterProgram } from './filter-code.ts';
import { type JailMeans, jailMeans } from './lacks.ts';
import { Ruleset } from './landlock.ts';
import { hasRings } from './rings.ts';
import { grantsLack, type JailRules, pathRules, portRules } from './rules.ts';
import { outside, type SystemCalls } from './system-calls.ts';

/** How the process is to be locked up. */
export interface JailOptions {
  readonly rules: JailRules;
  /** Whether threads other than the main one may start further ones. */
  readonly moreThreads: boolean;
}

const PR_SET_NO_NEW_PRIVS = 38;
const SET_FILTER = 1;
const FILTER_ALL_THREADS = 1;
const AT_FDCWD = -100;
const CAPABILITY_VERSION = 0x20080522;
const RLIMIT = { fileSize: 1, core: 4, descriptors: 7, messageQueues: 12 } as const;
/**
 * A file to test the jail with: it exists, its owner may open it, and no jail's rules have it,
 * because V8 would rely on it.
 */
const FORBIDDEN_FILE = '/proc/self/maps';

/** Locks the process up. Throws if any part of that fails: then the process must not go on. */
export function enterJail({ rules, moreThreads }: JailOptions): void {
  const means = jailMeans();
  if (typeof means === 'string') throw new Error(means);
  const { calls, landlock } = means;
  const lack = grantsLack(rules.grants, landlock.abi);
  if (lack !== undefined) throw new Error(lack);
  if (hasRings()) throw new Error('it has a ring of io_uring, past which no filter sees');
  const ruleset = makeRuleset(means, rules);
  boundResources(calls, rules);
  const has = (kind: JailRules['grants'][number]['kind']): boolean =>
    rules.grants.some((grant) => grant.kind === kind);
  const policy = jailPolicy({
    pid: process.pid,
    writesFiles: rules.grants.some(
      ({ access, kind }) => access === 'rw' && (kind === 'file' || kind === 'directory'),
    ),
    devices: has('device'),
    listensTcp: has('tcp-listen'),
    connectsTcp: has('tcp-connect'),
    listensUnix: has('unix-listen'),
    connectsUnix: has('unix-connect'),
  });
  const code = filterCode(policy);
  calls.must('prctl', PR_SET_NO_NEW_PRIVS, 1);
  const unsynchronised = calls.must(
    'seccomp',
    SET_FILTER,
    FILTER_ALL_THREADS,
    filterProgram(code, calls.addressOf(code)),
  );
  if (unsynchronised !== 0)
    throw new Error(`thread ${unsynchronised} does not take the filter of system calls`);
  restrictThreads(calls, ruleset.descriptor, moreThreads);
  ruleset.close();
}

function makeRuleset({ calls, landlock }: JailMeans, rules: JailRules): Ruleset {
  const ruleset = new Ruleset(calls, landlock);
  for (const { path, access, needed } of pathRules(rules)) {
    const descriptor = openPath(path, needed);
    if (descriptor === undefined) continue;
    try {
      // The open thing must be the one that was checked for the grant, and no other way may have
      // led to it.
      if (needed && !standsAt(descriptor, path)) throw new Error(`${path} leads elsewhere now`);
      ruleset.allowPath(descriptor, access, needed && fstatSync(descriptor).isDirectory());
    } finally {
      closeSync(descriptor);
    }
  }
  for (const { port, access } of portRules(rules)) ruleset.allowPort(port, access);
  return ruleset;
}

function openPath(path: string, needed: boolean): number | undefined {
  try {
    return openSync(path, LOOK_FLAGS);
  } catch (error) {
    if (needed) throw error;
    return undefined;
  }
}

/** Memory is bounded elsewhere (`memory-bound.ts`), because that depends on the start node. */
function boundResources(calls: SystemCalls, { grants }: JailRules): void {
  const bound = (resource: number, most: number): void => {
    const limit = new BigUint64Array(outside(16).buffer);
    calls.must('prlimit64', 0, resource, 0, limit);
    const [, hard = 0n] = limit;
    limit.fill(BigInt(most) < hard ? BigInt(most) : hard);
    calls.must('prlimit64', 0, resource, limit, 0);
  };
  bound(RLIMIT.core, 0);
  bound(RLIMIT.messageQueues, 0);
  bound(RLIMIT.descriptors, LIMITS.jailDescriptors);
  // Files that it may write can be as large as their disks. If there are none, this bounds memory
  // files.
  if (!grants.some(({ access }) => access === 'rw')) bound(RLIMIT.fileSize, totalmem());
}

function restrictThreads(calls: SystemCalls, ruleset: number, moreThreads: boolean): void {
  const header = outside(8);
  header.writeUInt32LE(CAPABILITY_VERSION);
  const noCapabilities = outside(24);
  const file = outside(FORBIDDEN_FILE.length + 1);
  file.write(FORBIDDEN_FILE);
  const noThreadsCode = filterCode(NO_THREADS_POLICY);
  const noThreads = filterProgram(noThreadsCode, calls.addressOf(noThreadsCode));
  const restrict: ThreadCall[] = [
    { name: 'prctl', words: [PR_SET_NO_NEW_PRIVS, 1], expected: 0 },
    { name: 'landlock_restrict_self', words: [ruleset, 0], expected: 0 },
    { name: 'capset', words: [header, noCapabilities], expected: 0 },
  ];
  // Each thread tries, by itself, two things that it must not be able to do: one against the rules,
  // one against the filter.
  const prove: ThreadCall[] = [
    { name: 'openat', words: [AT_FDCWD, file, 0], expected: -ERRNO.EACCES },
    { name: 'setns', words: [-1, 0], expected: -ERRNO.EPERM },
  ];
  const noMore: ThreadCall[] = moreThreads
    ? []
    : [{ name: 'seccomp', words: [SET_FILTER, 0, noThreads], expected: 0 }];
  onEveryThread(calls, { everybody: [...restrict, ...noMore, ...prove], last: [...restrict, ...prove] });
}
