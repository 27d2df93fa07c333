/**
 * The globals that a component finds in a simulated system if it breaks the one rule: clocks,
 * chance and timers that follow the seed where that is possible, and an error with its place where
 * it is not. ginit itself, between the turns of components, finds Node's own globals.
 */
import { format } from 'node:util';
import { assert, RpcError } from '@ginit/core';
import { guardZlibStreams } from '@ginit/core/platform';
import { useOf } from './use-place.ts';

/** A timer of a component; the result cancels it. */
export type CancelTimer = () => void;

/** The simulated system behind the globals that replace Node's. */
export interface GlobalsWorld {
  /** Whether a component runs now. */
  readonly inside: () => boolean;
  /** Whether a component is being loaded: then Node 20 itself waits for its thread of hooks. */
  readonly loading: () => boolean;
  readonly nowUs: () => number;
  readonly wallClockMs: () => number;
  /** A number from 0 up to, but not including, 1, of the component that runs now. */
  readonly chance: () => number;
  /** Sets a timer of the component that runs now; with `again` it repeats. */
  readonly timer: (us: number, again: boolean, run: () => void) => CancelTimer;
  /** A line of the component that runs now. */
  readonly print: (text: string) => void;
  /** Notes that the component uses a global that is simulated. */
  readonly used: (what: string, place: () => string) => void;
  /** Ends the run, because the component uses a global that cannot be simulated. */
  readonly refused: (what: string, place: () => string) => void;
}

type AnyFunction = (...args: never[]) => unknown;
type Replace = (owner: object, name: string, descriptor: PropertyDescriptor) => void;

/** Globals that bring in the outside world and have no simulated form. */
const REFUSED = [
  'fetch',
  'WebSocket',
  'EventSource',
  'MessageChannel',
  'BroadcastChannel',
  'Worker',
  'gc',
] as const;

/** Puts simulated globals in place; the result restores Node's. */
export function simulateGlobals(world: GlobalsWorld): () => void {
  const restore: (() => void)[] = [];
  const replace: Replace = (owner, name, descriptor) => {
    const before = Object.getOwnPropertyDescriptor(owner, name);
    // The `gc` of `node --expose-gc` cannot be defined anew, but it can be written.
    if (before?.configurable === false) {
      const { get } = descriptor;
      assert(before.writable === true && get !== undefined, 'it is the gc');
      Reflect.set(owner, name, (...args: readonly unknown[]): unknown => {
        const real: unknown = get.call(owner);
        return typeof real === 'function' ? Reflect.apply(real, undefined, args) : undefined;
      });
      restore.push(() => void Reflect.set(owner, name, before.value));
      return;
    }
    Object.defineProperty(owner, name, { configurable: true, ...descriptor });
    restore.push(() => {
      if (before) Object.defineProperty(owner, name, before);
      else Reflect.deleteProperty(owner, name);
    });
  };
  replaceClocks(world, replace);
  replaceTimers(world, replace);
  replaceChance(world, replace);
  replaceConsole(world, replace);
  replaceMemory(replace);
  replaceWebAssembly(world, replace);
  refuseOthers(world, replace);
  restore.push(guardZlibStreams(() => refusedZlib(world)));
  return () => {
    for (const undo of restore.toReversed()) undo();
  };
}

function note(world: GlobalsWorld, what: string): void {
  world.used(what, useOf);
}

function replaceClocks(world: GlobalsWorld, replace: Replace): void {
  const RealDate = Date;
  const now = (what: string): number => {
    if (!world.inside()) return RealDate.now();
    note(world, what);
    return world.wallClockMs();
  };
  const nowOfDate = (): number => now('Date.now()');
  const simulated = new Proxy(RealDate, {
    construct: (target, args, newTarget): Date =>
      Reflect.construct(target, args.length > 0 ? args : [now('new Date()')], newTarget),
    apply: () => new RealDate(now('Date()')).toString(),
    get: (target, name) => (name === 'now' ? nowOfDate : Reflect.get(target, name)),
  });
  replace(globalThis, 'Date', { value: simulated, writable: true });
  const realNow = performance.now.bind(performance);
  replace(performance, 'now', {
    value: () => {
      if (!world.inside()) return realNow();
      note(world, 'performance.now()');
      return world.nowUs() / 1000;
    },
    writable: true,
  });
}

/**
 * A timer object like Node's. Its methods that keep the event loop alive, or let it end, have no
 * effect here.
 */
class SimulatedTimer {
  readonly cancel: CancelTimer;

  constructor(cancel: CancelTimer) {
    this.cancel = cancel;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}

function replaceTimers(world: GlobalsWorld, replace: Replace): void {
  const start = (name: 'setTimeout' | 'setInterval' | 'setImmediate', again: boolean): void => {
    const real: AnyFunction = Reflect.get(globalThis, name);
    const value = (handler: (...args: unknown[]) => void, ...rest: unknown[]): unknown => {
      if (!world.inside()) return Reflect.apply(real, globalThis, [handler, ...rest]);
      note(world, `${name}()`);
      const ms = name === 'setImmediate' ? 0 : Math.max(1, Number(rest.shift()) || 1);
      return new SimulatedTimer(world.timer(ms * 1000, again, () => handler(...rest)));
    };
    replace(globalThis, name, { value, writable: true });
  };
  start('setTimeout', false);
  start('setInterval', true);
  start('setImmediate', false);
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate'] as const) {
    const real: AnyFunction = Reflect.get(globalThis, name);
    const value = (timer: unknown): void => {
      if (timer instanceof SimulatedTimer) timer.cancel();
      else Reflect.apply(real, globalThis, [timer]);
    };
    replace(globalThis, name, { value, writable: true });
  }
}

function replaceChance(world: GlobalsWorld, replace: Replace): void {
  const real = Math.random;
  const chance = (what: string): number => {
    note(world, what);
    return world.chance();
  };
  const value = (): number => (world.inside() ? chance('Math.random()') : real());
  replace(Math, 'random', { value, writable: true });
  const realCrypto = globalThis.crypto;
  const fill = <T extends ArrayBufferView>(into: T): T => {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(chance('crypto') * 256);
    return into;
  };
  const simulated = {
    getRandomValues: fill,
    randomUUID: () => uuid(fill(new Uint8Array(16))),
    get subtle(): never {
      return refuse(world, 'crypto.subtle');
    },
  };
  replace(globalThis, 'crypto', { get: () => (world.inside() ? simulated : realCrypto) });
}

/** A version 4 UUID, RFC 9562. */
function uuid(bytes: Uint8Array): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function replaceConsole(world: GlobalsWorld, replace: Replace): void {
  for (const name of ['log', 'info', 'debug', 'warn', 'error', 'trace'] as const) {
    const real: AnyFunction = Reflect.get(console, name);
    const value = (...args: unknown[]): unknown =>
      world.inside() ? world.print(format(...args)) : Reflect.apply(real, console, args);
    replace(console, name, { value, writable: true });
  }
}

/**
 * Hides the collection of garbage, because the engine decides about its time: in a simulated system
 * it never seems to happen.
 */
function replaceMemory(replace: Replace): void {
  class NeverCollected {
    register(): void {}
    unregister(): boolean {
      return false;
    }
  }
  class StrongReference {
    readonly #target: object;
    constructor(target: object) {
      this.#target = target;
    }
    deref(): object {
      return this.#target;
    }
  }
  replace(globalThis, 'FinalizationRegistry', { value: NeverCollected, writable: true });
  replace(globalThis, 'WeakRef', { value: StrongReference, writable: true });
}

/**
 * Makes WebAssembly compile at once. Node would compile in threads of its own and finish at an
 * unpredictable time.
 */
function replaceWebAssembly(world: GlobalsWorld, replace: Replace): void {
  const wasm: unknown = Reflect.get(globalThis, 'WebAssembly');
  if (typeof wasm !== 'object' || wasm === null) return;
  const make = (type: AnyFunction, args: readonly unknown[]): unknown => Reflect.construct(type, args);
  const Module: AnyFunction = Reflect.get(wasm, 'Module');
  const Instance: AnyFunction = Reflect.get(wasm, 'Instance');
  const now = (name: string, simulated: (source: unknown, imports: unknown) => unknown): void => {
    const real: AnyFunction = Reflect.get(wasm, name);
    const value = async (...args: unknown[]): Promise<unknown> =>
      world.inside() ? simulated(args[0], args[1]) : Reflect.apply(real, wasm, args);
    replace(wasm, name, { value, writable: true });
  };
  now('compile', (source) => make(Module, [source]));
  now('instantiate', (source, imports) => {
    if (source instanceof Module) return make(Instance, [source, imports]);
    const module = make(Module, [source]);
    return { module, instance: make(Instance, [module, imports]) };
  });
}

function refuse(world: GlobalsWorld, what: string): never {
  world.refused(what, useOf);
  throw new RpcError('Unsupported', `${what} cannot be simulated`);
}

/** Refuses asynchronous zlib, because Node's thread pool ends such work in an order of its own. */
function refusedZlib(world: GlobalsWorld): Error | undefined {
  if (!world.inside()) return undefined;
  const what = "zlib's asynchronous half";
  world.refused(what, useOf);
  return new RpcError('Unsupported', `${what} cannot be simulated`);
}

function refuseOthers(world: GlobalsWorld, replace: Replace): void {
  for (const name of REFUSED) {
    const real: unknown = Reflect.get(globalThis, name);
    if (real !== undefined) {
      replace(globalThis, name, { get: () => (world.inside() ? refuse(world, name) : real) });
    }
  }
  const methods = [
    [Atomics, 'Atomics', ['wait', 'waitAsync']],
    [AbortSignal, 'AbortSignal', ['timeout']],
    [process, 'process', ['exit', 'hrtime', 'kill', 'abort', 'chdir']],
  ] as const;
  for (const [owner, title, names] of methods) {
    for (const name of names) {
      const real: unknown = Reflect.get(owner, name);
      if (typeof real !== 'function') continue;
      const value = new Proxy(real, {
        // process.hrtime.bigint
        get: (target, key): unknown =>
          key === 'bigint' && world.inside() ? refuse(world, `${title}.${name}()`) : Reflect.get(target, key),
        apply: (target, self, args): unknown =>
          world.inside() && !world.loading()
            ? refuse(world, `${title}.${name}()`)
            : Reflect.apply(target, self, args),
      });
      replace(owner, name, { value, writable: true });
    }
  }
}
