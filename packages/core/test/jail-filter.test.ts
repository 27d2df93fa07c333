/**
 * The filter of system calls, run by an interpreter of the kernel's machine: it must decide as its
 * policy says, for any call.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CALLS, type CallName, ERRNO } from '../src/platform/jail/call-numbers.ts';
import {
  jailPolicy,
  NO_RINGS_POLICY,
  NO_THREADS_POLICY,
  type CallNeeds,
} from '../src/platform/jail/call-policy.ts';
import { filterCode, type FilterPolicy, type Verdict } from '../src/platform/jail/filter-code.ts';

const ALLOW = 0x7fff0000;
const FAIL = 0x00050000;
const KILL = 0x80000000;
const X64 = 0xc000003e;
const PID = 4711;
const PLAIN: CallNeeds = {
  pid: PID,
  writesFiles: false,
  devices: false,
  listensTcp: false,
  connectsTcp: false,
  listensUnix: false,
  connectsUnix: false,
};

interface Call {
  readonly processor: number;
  readonly number: number;
  readonly words: readonly bigint[];
}

/** The data that the kernel gives the program to look at. */
function dataOf({ processor, number, words }: Call): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, number, true);
  view.setUint32(4, processor, true);
  words.forEach((word, index) => view.setBigUint64(16 + 8 * index, word, true));
  return view;
}

function run(code: Buffer, call: Call): number {
  const data = dataOf(call);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    expect(at * 8).toBeLessThan(code.length);
    const operation = code.readUInt16LE(at * 8);
    const [whenTrue, whenFalse] = [code.readUInt8(at * 8 + 2), code.readUInt8(at * 8 + 3)];
    const operand = code.readUInt32LE(at * 8 + 4);
    switch (operation) {
      case 0x20:
        accumulator = data.getUint32(operand, true);
        break;
      case 0x54:
        accumulator = (accumulator & operand) >>> 0;
        break;
      case 0x05:
        at += operand;
        break;
      case 0x15:
        at += accumulator === operand ? whenTrue : whenFalse;
        break;
      case 0x35:
        at += accumulator >= operand ? whenTrue : whenFalse;
        break;
      case 0x06:
        return operand;
      default:
        throw new Error(`no such operation ${operation}`);
    }
  }
}

function expected(policy: FilterPolicy, { processor, number, words }: Call): number {
  if (processor !== X64 || number >= 0x40000000) return KILL;
  const verdict: Verdict | undefined =
    policy.calls.get(number) ?? policy.others.findLast(({ from }) => from <= number)?.verdict;
  const low = (index: number): bigint => (words[index] ?? 0n) & 0xffffffffn;
  switch (verdict?.kind) {
    case 'allow':
      return ALLOW;
    case 'fail':
      return FAIL | verdict.errno;
    case 'except':
      return verdict.values.some((value) => BigInt(value) === low(verdict.argument))
        ? FAIL | verdict.errno
        : ALLOW;
    case 'tests': {
      const holds = verdict.anyOf.some((tests) =>
        tests.every(({ argument, mask = 0xffffffff, value, wide }) =>
          wide
            ? words[argument] === BigInt(value)
            : (low(argument) & BigInt(mask >>> 0)) === BigInt(value >>> 0),
        ),
      );
      return holds ? ALLOW : FAIL | verdict.otherwise;
    }
    case undefined:
      throw new Error('nothing is said of it');
  }
}

const interesting = [
  0n,
  1n,
  2n,
  5n,
  8n,
  10n,
  38n,
  BigInt(PID),
  0x10f00n,
  0x7d0f00n,
  0x20n,
  0x22n,
  0x5412n,
  0x5421n,
  2n ** 32n,
];
const word = fc.oneof(fc.constantFrom(...interesting), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const call = fc.record({
  processor: fc.oneof({ weight: 20, arbitrary: fc.constant(X64) }, fc.constantFrom(0x40000003, 0xc00000b7)),
  number: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...Object.values(CALLS)) },
    { weight: 3, arbitrary: fc.nat(600) },
    fc.nat(0xffffffff),
  ),
  words: fc.array(word, { minLength: 6, maxLength: 6 }),
});
const needs: fc.Arbitrary<CallNeeds> = fc.record({
  pid: fc.constant(PID),
  writesFiles: fc.boolean(),
  devices: fc.boolean(),
  listensTcp: fc.boolean(),
  connectsTcp: fc.boolean(),
  listensUnix: fc.boolean(),
  connectsUnix: fc.boolean(),
});

describe('the filter of system calls', () => {
  test('decides as its policy says', () => {
    fc.assert(
      fc.property(needs, fc.array(call, { minLength: 20, maxLength: 20 }), (of, calls) => {
        const policy = jailPolicy(of);
        const code = filterCode(policy);
        for (const each of calls) expect(run(code, each)).toBe(expected(policy, each));
      }),
    );
    for (const policy of [NO_RINGS_POLICY, NO_THREADS_POLICY]) {
      const code = filterCode(policy);
      fc.assert(
        fc.property(call, (each) => {
          expect(run(code, each)).toBe(expected(policy, each));
        }),
      );
    }
  });

  test.each([
    ['execve', 59, ERRNO.EPERM],
    ['fork', 57, ERRNO.EPERM],
    ['ptrace', 101, ERRNO.EPERM],
    ['socket', CALLS.socket, ERRNO.EPERM],
    ['clone of a process', CALLS.clone, ERRNO.EPERM],
    ['clone3, of which nothing can be seen', CALLS.clone3, ERRNO.ENOSYS],
    ['io_uring_setup', CALLS.io_uring_setup, ERRNO.ENOSYS],
    ['a call that is newer than all of these', 999, ERRNO.ENOSYS],
  ])('refuses %s to a component without grants', (_, number, errno) => {
    const words = [17n, 1n, 0n, 0n, 0n, 0n];
    expect(run(filterCode(jailPolicy(PLAIN)), { processor: X64, number, words })).toBe(FAIL | errno);
  });

  test('opens sockets only of the kind that is granted', () => {
    const socket = (of: CallNeeds, family: bigint, type: bigint, protocol = 0n): number =>
      run(filterCode(jailPolicy(of)), {
        processor: X64,
        number: CALLS.socket,
        words: [family, type, protocol, 0n, 0n, 0n],
      });
    const [unix, inet, stream, datagram, flags] = [1n, 2n, 1n, 2n, 0x80800n];
    expect(socket({ ...PLAIN, connectsTcp: true }, inet, stream | flags)).toBe(ALLOW);
    expect(socket({ ...PLAIN, connectsTcp: true }, inet, datagram)).toBe(FAIL | ERRNO.EPERM);
    expect(socket({ ...PLAIN, connectsTcp: true }, unix, stream)).toBe(FAIL | ERRNO.EPERM);
    expect(socket({ ...PLAIN, listensUnix: true }, unix, stream)).toBe(ALLOW);
    expect(socket({ ...PLAIN, listensUnix: true }, inet, stream)).toBe(FAIL | ERRNO.EPERM);
    const [tcp, another] = [6n, 132n];
    for (const family of [inet, 10n]) {
      expect(socket({ ...PLAIN, connectsTcp: true }, family, stream, tcp)).toBe(ALLOW);
      expect(socket({ ...PLAIN, connectsTcp: true }, family, stream, another)).toBe(FAIL | ERRNO.EPERM);
    }
    expect(socket({ ...PLAIN, listensUnix: true }, unix, stream, tcp)).toBe(FAIL | ERRNO.EPERM);
  });

  test('sends only over connected sockets, and makes no links, whatever is granted', () => {
    const everything: CallNeeds = {
      pid: PID,
      writesFiles: true,
      devices: true,
      listensTcp: true,
      connectsTcp: true,
      listensUnix: true,
      connectsUnix: true,
    };
    const code = filterCode(jailPolicy(everything));
    const ask = (name: CallName, ...words: bigint[]): number =>
      run(code, {
        processor: X64,
        number: CALLS[name],
        words: [...words, 0n, 0n, 0n, 0n, 0n, 0n].slice(0, 6),
      });
    const [noSignal, connecting] = [0x4000n, 0x20000000n];
    expect(ask('sendmsg', 3n, 1n, noSignal)).toBe(ALLOW);
    expect(ask('sendmsg', 3n, 1n, noSignal | connecting)).toBe(FAIL | ERRNO.EPERM);
    expect(ask('sendto', 3n, 1n, 1n, noSignal, 1n)).toBe(FAIL | ERRNO.EPERM);
    for (const name of ['link', 'linkat', 'symlink', 'symlinkat'] as const)
      expect(ask(name)).toBe(FAIL | ERRNO.EPERM);
  });
});
