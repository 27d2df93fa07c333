/** Everything is paid for, and the price comes back if the thing could not be had after all. */
import { describe, expect, test } from 'vitest';
import { ExportedObject } from '../src/capability/exported-object.ts';
import { ExportTable } from '../src/channel/export-table.ts';
import { COSTS, sumOf } from '../src/costs.ts';
import { hasCode, type RpcError } from '../src/errors.ts';
import { rpc, rpcInterface } from '../src/interface/interface.ts';
import { nothing } from '../src/interface/shapes.ts';
import { LIMITS } from '../src/limits.ts';
import { SupervisorCalls } from '../src/runtime/control.ts';
import { Completed } from '../src/runtime/completed.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import { Environment } from '../src/runtime/environment.ts';
import { ServedCounter } from '../src/runtime/served-counter.ts';
import { SynchronousCalls } from '../src/runtime/synchronous.ts';
import { Parent } from '../src/session/parent.ts';
import { Pd } from '../src/session/pd.ts';
import { Account } from '../src/supervisor/account.ts';
import { PdSession } from '../src/supervisor/pd-service.ts';
import { ThreadsByAccount } from '../src/supervisor/threads-by-account.ts';
import { uniformParent } from './test-parent.ts';

const Thing = rpcInterface('Thing', { poke: rpc<() => void>({ args: [], result: nothing }) });
const thing = (paid = false): ExportedObject => new ExportedObject(Thing, { poke: () => {} }, () => {}, paid);

describe('objects that are gone', () => {
  const table = (): { exports: ExportTable; taken: () => number } => {
    let taken = 0;
    const exports = new ExportTable({ take: () => void taken++, giveBack: () => void taken-- });
    return { exports, taken: () => taken };
  };

  test('a peer that gives back what was dissolved may have any number of objects, one after the other', () => {
    const { exports, taken } = table();
    for (let round = 0; round < 3 * LIMITS.dissolvedPerChannel; round++) {
      const object = thing();
      const index = exports.add(object);
      object.revoke();
      expect(exports.release(index, 1)).toBe(true);
    }
    expect(taken()).toBe(0);
    expect(exports.size).toBe(0);
  });

  test('a peer that keeps dissolved objects gets no more, until it gives some back', () => {
    const { exports } = table();
    const kept: number[] = [];
    let refusal: unknown;
    while (refusal === undefined && kept.length < LIMITS.exportsPerChannel) {
      const object = thing();
      try {
        kept.push(exports.add(object));
        object.revoke();
      } catch (error) {
        refusal = error;
      }
    }
    expect(hasCode(refusal, 'LimitExceeded')).toBe(true);
    expect(kept.length).toBe(LIMITS.dissolvedPerChannel);
    exports.release(kept[0] ?? 0, 1);
    expect(() => exports.add(thing())).not.toThrow();
  });

  test('live objects do not count against that bound, because they are paid for', () => {
    const { exports } = table();
    for (let number = 0; number < 2 * LIMITS.dissolvedPerChannel; number++) exports.add(thing());
    expect(exports.size).toBe(2 * LIMITS.dissolvedPerChannel);
  });

  test('nothing that was behind a revoked object is kept', () => {
    const implementation = { poke: () => {} };
    const object = new ExportedObject(Thing, implementation, () => {});
    expect(object.implementation).toBe(implementation);
    object.revoke();
    expect(object.implementation).not.toBe(implementation);
  });

  test('the owner of an object hears when its last holder has given it back', () => {
    const { exports } = table();
    const other = table().exports;
    const object = thing();
    let unheld = 0;
    object.unheld = () => void unheld++;
    const [here, there] = [exports.add(object), other.add(object)];
    exports.release(here, 1);
    expect(unheld).toBe(0);
    other.release(there, 1);
    expect(unheld).toBe(1);
    exports.add(object);
    exports.clear();
    expect(unheld).toBe(2);
  });
});

test('memory that the host does not have is not charged', async () => {
  const fail = (error: unknown): never => {
    throw error;
  };
  const never = (): Promise<never> => new Promise(() => {});
  const entrypoint = new Entrypoint({ schedule: queueMicrotask, report: fail, introduce: never });
  const account = new Account('test', { ram: 2 ** 40, caps: 10 });
  const core = entrypoint.export(SupervisorCalls, {
    introduce: never,
    grant: never,
    waiting: never,
    waited: never,
    traceEnded: never,
    stopping: never,
  });
  const environment = new Environment({
    entrypoint,
    parent: entrypoint.export(Parent, uniformParent(never)),
    pd: entrypoint.export(Pd, new PdSession(account, new ThreadsByAccount())),
    host: {
      grants: [],
      grant: never,
      openFile: never,
      openDirectory: never,
      openDevice: never,
      listen: never,
      connect: never,
      run: never,
      workplace: never,
      mount: never,
    },
    memory: {
      allocate: () => {
        throw new RangeError('Array buffer allocation failed');
      },
      revoke: never,
      detach: () => {},
    },
    report: fail,
    complain: fail,
    served: new ServedCounter(),
    calls: new ServedCounter(),
    progress: new Completed({ completed: 0 }),
    synchronous: new SynchronousCalls(entrypoint, core, undefined),
    assertions: { failed: fail },
    unmet: undefined,
    dealings: undefined,
    watch: undefined,
  });
  const error = await environment.ram.allocate(2 ** 39).catch((reason: RpcError) => reason);
  expect(error).toMatchObject({ code: 'OUT_OF_RAM' });
  expect(account.state).toMatchObject({ ramUsed: 0, capUsed: 0 });
});

test('costs are whole and add up', () => {
  for (const { ram, caps } of Object.values(COSTS)) {
    expect(Number.isSafeInteger(ram) && ram >= 0 && Number.isSafeInteger(caps) && caps > 0).toBe(true);
  }
  expect(sumOf()).toEqual({ ram: 0, caps: 0 });
  expect(sumOf({ ram: 1, caps: 2 }, { ram: 30, caps: 40 })).toEqual({ ram: 31, caps: 42 });
});
