/** The requests of a test, made from its config and the device's size. */
import type { BlockInfo } from '@ginit/core/block';
import type { ConfigNode } from '@ginit/core/config';
import { Random } from '../lib/random.ts';
import type { TestConfig } from './schema.ts';

/** What a request does. */
export type TestOperation = 'read' | 'write' | 'sync' | 'trim' | 'zeroes';

/** A request of a test. */
export interface TestRequest {
  readonly operation: TestOperation;
  readonly first: number;
  readonly count: number;
}

/** A test that can be run. */
export interface TestPlan {
  /** Its name in the log: the kind of test, and what it does. */
  readonly name: string;
  /** The requests of each pass; a pass begins when the one before has ended. */
  readonly passes: readonly (() => Iterable<TestRequest>)[];
  readonly underWayMax: number;
  /** Whether what is written is a pattern, and what is read must be it. */
  readonly verify: boolean;
  /** The largest request in bytes. */
  readonly requestBytesMax: number;
  /** The blocks that the test uses; requests of one that verifies begin at multiples of `unit`. */
  readonly range: { readonly first: number; readonly unit: number; readonly units: number };
}

/** The most requests that a range of a test that verifies has places for. */
const VERIFIED_UNITS_MAX = 1024 * 1024;

/** Makes the plan of a test. Throws `ConfigError` at what the device cannot do. */
export function planOf(test: TestConfig, info: BlockInfo): TestPlan {
  const plan = test.$type === 'replay' ? replayPlan(test, info) : rangePlan(test, info);
  const writes = plan.passes.length > 1 || (test.$type !== 'replay' && test.write);
  if (writes && !info.writeable) throw test.$node.errorAt('the session cannot write', 'write');
  return plan;
}

type RangeTest = Exclude<TestConfig, { readonly $type: 'replay' }>;

function rangePlan(test: RangeTest, info: BlockInfo): TestPlan {
  const { size, batch, synchronous, verify, $node: node } = test;
  const { blockSize } = info;
  const unit = blocksOf(size, 'size', node, blockSize);
  const first = blocksOf(test.start, 'start', node, blockSize);
  const whole = (info.blockCount - first) * blockSize;
  const length = blocksOf(test.length ?? Math.max(0, whole - (whole % size)), 'length', node, blockSize);
  const units = Math.floor(length / unit);
  if (first + length > info.blockCount) {
    throw node.errorAt(`the range ends beyond the ${info.blockCount} blocks of the device`, 'length');
  }
  if (units === 0) throw node.errorAt('the range has no room for a single request', 'length');
  if (verify && units > VERIFIED_UNITS_MAX) {
    throw node.errorAt(`a test that verifies has at most ${VERIFIED_UNITS_MAX} requests`, 'verify');
  }
  const at = (operation: TestOperation, index: number): TestRequest => ({
    operation,
    first: first + index * unit,
    count: unit,
  });
  return {
    name: nameOf(test),
    passes: passesOf(test, units, at),
    underWayMax: synchronous ? 1 : batch,
    verify,
    requestBytesMax: size,
    range: { first, unit, units },
  };
}

type At = (operation: TestOperation, index: number) => TestRequest;

function passesOf(test: RangeTest, units: number, at: At): (() => Iterable<TestRequest>)[] {
  switch (test.$type) {
    case 'sequential':
      return ordered(test, units, at, (index) => index);
    case 'ping_pong':
      return ordered(test, units, at, (index) => (index % 2 === 0 ? index / 2 : units - (index + 1) / 2));
    case 'random':
      return randomPasses(test, units, at);
  }
}

/**
 * A pass that reads or writes in an order; a test that verifies what it has written reads it then.
 */
function ordered(
  { write, verify }: { readonly write: boolean; readonly verify: boolean },
  units: number,
  at: At,
  place: (index: number) => number,
): (() => Iterable<TestRequest>)[] {
  const pass = (operation: TestOperation) =>
    function* (): Iterable<TestRequest> {
      for (let index = 0; index < units; index++) yield at(operation, place(index));
    };
  if (!write) return [pass('read')];
  return verify ? [pass('write'), () => [SYNC], pass('read')] : [pass('write')];
}

const SYNC: TestRequest = { operation: 'sync', first: 0, count: 0 };

function randomPasses(
  test: RangeTest & { readonly $type: 'random' },
  units: number,
  at: At,
): (() => Iterable<TestRequest>)[] {
  const { seed, read, write, verify, requests = units, $node: node } = test;
  if (!read && !write) throw node.errorAt('a test that neither reads nor writes tests nothing', 'read');
  const mixed = function* (): Iterable<TestRequest> {
    const random = new Random(seed, 'block_tester');
    for (let number = 0; number < requests; number++) {
      const writes = write && (!read || random.once(2));
      yield at(writes ? 'write' : 'read', random.below(units));
    }
  };
  const all = function* (): Iterable<TestRequest> {
    for (let index = 0; index < units; index++) yield at('read', index);
  };
  return write && verify ? [mixed, () => [SYNC], all] : [mixed];
}

function replayPlan(test: TestConfig & { readonly $type: 'replay' }, info: BlockInfo): TestPlan {
  const { batch, $children } = test;
  const { blockCount, blockSize, writeable } = info;
  const requests = $children.request.map(({ type, lba, count, $node }) => {
    if (lba + count > blockCount) {
      throw $node.errorAt(`the request ends beyond the ${blockCount} blocks of the device`, 'lba');
    }
    if (count === 0 && (type === 'read' || type === 'write')) {
      throw $node.errorAt(`a ${type} of no blocks`, 'count');
    }
    if (type !== 'read' && !writeable) throw $node.errorAt('the session cannot write', 'type');
    return { operation: type, first: lba, count };
  });
  const moved = requests.filter(({ operation }) => operation === 'read' || operation === 'write');
  const largest = Math.max(1, ...moved.map(({ count }) => count));
  return {
    name: `replay of ${requests.length} requests`,
    passes: [() => requests],
    underWayMax: batch,
    verify: false,
    requestBytesMax: largest * blockSize,
    range: { first: 0, unit: 1, units: blockCount },
  };
}

function nameOf(test: RangeTest): string {
  const { $type: kind, size, batch, synchronous, write, verify } = test;
  const reads = kind === 'random' ? test.read : !write || verify;
  const what = [...(reads ? ['read'] : []), ...(write ? ['write'] : [])].join(' and ');
  return `${kind} ${what} of ${size} bytes, ${synchronous ? 1 : batch} under way${verify ? ', verified' : ''}`;
}

/** A number of bytes as blocks. */
function blocksOf(bytes: number, attribute: string, node: ConfigNode, blockSize: number): number {
  if (bytes % blockSize === 0) return bytes / blockSize;
  throw node.errorAt(
    `${attribute} is ${bytes}, which is no multiple of the block size ${blockSize}`,
    attribute,
  );
}
