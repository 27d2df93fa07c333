/**
 * The programs that seccomp runs at every system call, in the kernel's classic BPF. A policy says
 * what becomes of each call; it is turned into a binary search for the number of the call, whose
 * leaves decide. Layouts are those of `linux/seccomp.h` and `linux/filter.h`.
 */
import { outside } from './system-calls.ts';

/**
 * A condition on one argument of a call, of which its lower 32 bits are looked at: `(argument &
 * mask) === value`.
 */
export interface ArgumentTest {
  readonly argument: number;
  readonly mask?: number;
  readonly value: number;
  /** Compares all 64 bits, without a mask: for addresses. */
  readonly wide?: boolean;
}

/**
 * The decision on a call. `anyOf`: it is allowed if all tests of one of the lists hold, else it
 * fails with `otherwise`.
 */
export type Verdict =
  | { readonly kind: 'allow' }
  | { readonly kind: 'fail'; readonly errno: number }
  | {
      readonly kind: 'tests';
      readonly anyOf: readonly (readonly ArgumentTest[])[];
      readonly otherwise: number;
    }
  /** The call is allowed, except for these values of an argument. */
  | {
      readonly kind: 'except';
      readonly argument: number;
      readonly values: readonly number[];
      readonly errno: number;
    };

/**
 * Decisions by the number of the call. `others` is for calls that are not named, from its number
 * on.
 */
export interface FilterPolicy {
  readonly calls: ReadonlyMap<number, Verdict>;
  readonly others: readonly { readonly from: number; readonly verdict: Verdict }[];
}

interface Instruction {
  readonly code: number;
  readonly whenTrue: number;
  readonly whenFalse: number;
  readonly operand: number;
}

const CODE = { load: 0x20, and: 0x54, jump: 0x05, ifEqual: 0x15, ifAtLeast: 0x35, result: 0x06 } as const;
const RESULT = { allow: 0x7fff0000, fail: 0x00050000, killProcess: 0x80000000 } as const;
const NUMBER_AT = 0;
const PROCESSOR_AT = 4;
const ARGUMENTS_AT = 16;
const X64 = 0xc000003e;
/** Numbers from here on are those of the x32 ABI. */
const X32_FROM = 0x40000000;
const INSTRUCTION_BYTES = 8;
const PROGRAM_BYTES = 16;

const step = (code: number, operand: number, whenTrue = 0, whenFalse = 0): Instruction => ({
  code,
  whenTrue,
  whenFalse,
  operand,
});
const fail = (errno: number): Instruction => step(CODE.result, RESULT.fail | errno);
const ALLOW = step(CODE.result, RESULT.allow);

function testCode({ argument, mask, value, wide = false }: ArgumentTest, skip: number): Instruction[] {
  const at = ARGUMENTS_AT + 8 * argument;
  const lower = [step(CODE.load, at), ...(mask === undefined ? [] : [step(CODE.and, mask)])];
  if (!wide) return [...lower, step(CODE.ifEqual, value, 0, skip)];
  return [
    step(CODE.load, at + 4),
    step(CODE.ifEqual, 0, 0, skip + 2),
    ...lower,
    step(CODE.ifEqual, value, 0, skip),
  ];
}

/**
 * The code of one list of tests, with the permission behind it. If a test fails, the code behind
 * goes on.
 */
function listCode(tests: readonly ArgumentTest[]): Instruction[] {
  const code = [ALLOW];
  for (const test of tests.toReversed()) code.unshift(...testCode(test, code.length));
  return code;
}

function exceptionsCode(argument: number, values: readonly number[], errno: number): Instruction[] {
  return values.flatMap((value) => [...testCode({ argument, value }, 1), fail(errno)]);
}

function verdictCode(verdict: Verdict): Instruction[] {
  switch (verdict.kind) {
    case 'allow':
      return [ALLOW];
    case 'fail':
      return [fail(verdict.errno)];
    case 'tests':
      return [...verdict.anyOf.flatMap(listCode), fail(verdict.otherwise)];
    case 'except':
      return [...exceptionsCode(verdict.argument, verdict.values, verdict.errno), ALLOW];
  }
}

interface Interval {
  readonly from: number;
  readonly verdict: Verdict;
}

function intervalsOf({ calls, others }: FilterPolicy): Interval[] {
  const otherwise = (number: number): Verdict => {
    const found = others.findLast(({ from }) => from <= number);
    if (!found) throw new RangeError(`nothing is said of call ${number}`);
    return found.verdict;
  };
  const starts = new Set([0, ...others.map(({ from }) => from)]);
  for (const number of calls.keys()) starts.add(number).add(number + 1);
  const intervals: Interval[] = [];
  for (const from of [...starts].toSorted((one, other) => one - other)) {
    const verdict = calls.get(from) ?? otherwise(from);
    if (intervals.at(-1)?.verdict !== verdict) intervals.push({ from, verdict });
  }
  return intervals;
}

function searchCode(intervals: readonly Interval[]): Instruction[] {
  const [only] = intervals;
  if (intervals.length <= 1) return only ? verdictCode(only.verdict) : [];
  const middle = intervals.length >> 1;
  const lower = searchCode(intervals.slice(0, middle));
  const upper = searchCode(intervals.slice(middle));
  const pivot = intervals[middle]?.from ?? 0;
  // A conditional jump reaches 255 instructions, an unconditional one all.
  return [step(CODE.ifAtLeast, pivot, 0, 1), step(CODE.jump, lower.length), ...lower, ...upper];
}

/** The program of a policy, as the kernel takes it. */
export function filterCode(policy: FilterPolicy): Buffer {
  const code = [
    step(CODE.load, PROCESSOR_AT),
    step(CODE.ifEqual, X64, 1, 0),
    step(CODE.result, RESULT.killProcess),
    step(CODE.load, NUMBER_AT),
    step(CODE.ifAtLeast, X32_FROM, 0, 1),
    step(CODE.result, RESULT.killProcess),
    ...searchCode(intervalsOf(policy)),
  ];
  const bytes = outside(code.length * INSTRUCTION_BYTES);
  code.forEach(({ code: operation, whenTrue, whenFalse, operand }, index) => {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(operation, at);
    bytes.writeUInt8(whenTrue, at + 2);
    bytes.writeUInt8(whenFalse, at + 3);
    bytes.writeUInt32LE(operand >>> 0, at + 4);
  });
  return bytes;
}

/** A program as an argument of seccomp(2): keep both for as long as the call lasts. */
export function filterProgram(code: Buffer, address: bigint): Buffer {
  const program = outside(PROGRAM_BYTES);
  program.writeUInt16LE(code.length / INSTRUCTION_BYTES, 0);
  program.writeBigUInt64LE(address, 8);
  return program;
}
