/**
 * The means for jails that this host has, found out once in each process by asking the kernel; and
 * what is missing, in words for people.
 */
import { ABI, landlockVersion, type LandlockVersion } from './landlock.ts';
import { errnoName } from './call-numbers.ts';
import { outside, SystemCalls } from './system-calls.ts';

/** The means for making jails. */
export interface JailMeans {
  readonly calls: SystemCalls;
  readonly landlock: LandlockVersion;
}

const GET_ACTION_AVAILABLE = 2;
const RETURN_ERRNO = 0x00050000;

let found: JailMeans | string | undefined;

/** The means, or why there are none. */
export function jailMeans(): JailMeans | string {
  found ??= findMeans();
  return found;
}

function findMeans(): JailMeans | string {
  const calls = SystemCalls.load();
  if (typeof calls === 'string') return calls;
  const landlock = landlockVersion(calls);
  if (typeof landlock === 'string') return landlock;
  if (landlock.abi < ABI.truncate) {
    return `Landlock ABI ${landlock.abi}: files could be truncated (that takes ABI ${ABI.truncate}, Linux 6.2)`;
  }
  const action = outside(4);
  action.writeUInt32LE(RETURN_ERRNO);
  const seccomp = calls.call('seccomp', GET_ACTION_AVAILABLE, 0, action);
  if (seccomp < 0) return `the kernel has no filters of system calls (seccomp: ${errnoName(-seccomp)})`;
  return { calls, landlock };
}
