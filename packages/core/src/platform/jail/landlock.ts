/**
 * Landlock: the kernel's rules of what a thread, and everything it starts, may reach from then on.
 * A ruleset names the kinds of access that it handles, all of which are refused but for those that
 * a rule allows: below a file or directory, or at a TCP port. Layouts and numbers are those of
 * `linux/landlock.h`; what there is depends on the ABI of the kernel.
 */
import { ERRNO, errnoName } from './call-numbers.ts';
import { outside, type SystemCalls } from './system-calls.ts';

/** Kinds of access to files, by their bits. */
export const FILE_ACCESS = {
  execute: 1 << 0,
  writeFile: 1 << 1,
  readFile: 1 << 2,
  readDirectory: 1 << 3,
  removeDirectory: 1 << 4,
  removeFile: 1 << 5,
  makeCharacterDevice: 1 << 6,
  makeDirectory: 1 << 7,
  makeFile: 1 << 8,
  makeSocket: 1 << 9,
  makePipe: 1 << 10,
  makeBlockDevice: 1 << 11,
  makeLink: 1 << 12,
  moveBetweenDirectories: 1 << 13,
  truncate: 1 << 14,
  deviceControl: 1 << 15,
  useSocket: 1 << 16,
} as const;

/** The kinds of access that a rule for anything but a directory may name. */
const OF_FILES =
  FILE_ACCESS.execute |
  FILE_ACCESS.writeFile |
  FILE_ACCESS.readFile |
  FILE_ACCESS.truncate |
  FILE_ACCESS.deviceControl |
  FILE_ACCESS.useSocket;

/** Kinds of access to TCP ports, by their bits. */
export const PORT_ACCESS = { bind: 1 << 0, connect: 1 << 1 } as const;

/**
 * Things outside of the jail that the process can be kept from: connecting to abstract sockets, and
 * sending signals.
 */
const SCOPE = { abstractSockets: 1 << 0, signals: 1 << 1 } as const;

/** The ABI from which on each thing is there that we use. */
export const ABI = { move: 2, truncate: 3, ports: 4, deviceControl: 5, scopes: 6, namedSockets: 9 } as const;

/**
 * Before this fault of the kernel was mended, the scope of signals also stopped signals between
 * threads that were restricted one by one.
 */
const ERRATUM_THREAD_SIGNALS = 2;

const VERSION_FLAG = 1;
const ERRATA_FLAG = 2;
const RULE_PATH = 1;
const RULE_PORT = 2;
const PATH_RULE_BYTES = 12;
const PORT_RULE_BYTES = 16;

/** The Landlock of this kernel. */
export interface LandlockVersion {
  readonly abi: number;
  readonly errata: number;
}

/** Asks the kernel for its Landlock. A text says why there is none. */
export function landlockVersion(calls: SystemCalls): LandlockVersion | string {
  const abi = calls.call('landlock_create_ruleset', 0, 0, VERSION_FLAG);
  if (abi < 0) return lackOf(-abi);
  return { abi, errata: Math.max(0, calls.call('landlock_create_ruleset', 0, 0, ERRATA_FLAG)) };
}

function lackOf(errno: number): string {
  switch (errno) {
    case ERRNO.ENOSYS:
      return 'the kernel has no Landlock (ENOSYS)';
    case ERRNO.EOPNOTSUPP:
      return "the kernel's Landlock is not switched on (EOPNOTSUPP: add landlock to lsm=)";
    case ERRNO.EPERM:
      return 'Landlock is forbidden here (EPERM: perhaps by a container)';
    default:
      return `the kernel refuses Landlock (${errnoName(errno)})`;
  }
}

/** Every kind of access to files that an ABI knows of. */
function handledAccess(abi: number): number {
  let bits = 0;
  for (const bit of Object.values(FILE_ACCESS)) if (bit < FILE_ACCESS.moveBetweenDirectories) bits |= bit;
  if (abi >= ABI.move) bits |= FILE_ACCESS.moveBetweenDirectories;
  if (abi >= ABI.truncate) bits |= FILE_ACCESS.truncate;
  if (abi >= ABI.deviceControl) bits |= FILE_ACCESS.deviceControl;
  if (abi >= ABI.namedSockets) bits |= FILE_ACCESS.useSocket;
  return bits;
}

/** A ruleset under construction: a descriptor, which its owner closes. */
export class Ruleset {
  readonly descriptor: number;
  readonly #calls: SystemCalls;
  readonly #handled: number;

  constructor(calls: SystemCalls, { abi, errata }: LandlockVersion) {
    this.#calls = calls;
    this.#handled = handledAccess(abi);
    const attribute = new BigUint64Array(outside(abi >= ABI.scopes ? 24 : abi >= ABI.ports ? 16 : 8).buffer);
    attribute[0] = BigInt(this.#handled);
    if (abi >= ABI.ports) attribute[1] = BigInt(PORT_ACCESS.bind | PORT_ACCESS.connect);
    if (abi >= ABI.scopes) {
      const signals = errata & ERRATUM_THREAD_SIGNALS ? SCOPE.signals : 0;
      attribute[2] = BigInt(SCOPE.abstractSockets | signals);
    }
    this.descriptor = calls.must('landlock_create_ruleset', attribute, attribute.byteLength, 0);
  }

  /** Allows access to what an O_PATH descriptor leads to, and to all below it. */
  allowPath(descriptor: number, access: number, isDirectory: boolean): void {
    const rule = outside(PATH_RULE_BYTES);
    rule.writeBigUInt64LE(BigInt(access & this.#handled & (isDirectory ? -1 : OF_FILES)), 0);
    rule.writeInt32LE(descriptor, 8);
    this.#calls.must('landlock_add_rule', this.descriptor, RULE_PATH, rule, 0);
  }

  /** Allows TCP at a port; `access` is of `PORT_ACCESS`. */
  allowPort(port: number, access: number): void {
    const rule = outside(PORT_RULE_BYTES);
    rule.writeBigUInt64LE(BigInt(access), 0);
    rule.writeBigUInt64LE(BigInt(port), 8);
    this.#calls.must('landlock_add_rule', this.descriptor, RULE_PORT, rule, 0);
  }

  close(): void {
    this.#calls.call('close', this.descriptor);
  }
}
