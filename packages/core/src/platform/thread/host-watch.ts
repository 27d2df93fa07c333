/**
 * Watches, in a component's thread, what it asks of Node's own modules. So a refusal of the jail
 * says what was refused, to which module, and how to allow it; or, in an audit, every use is
 * listed. Files, TCP, Unix sockets and programs are seen, in whichever way they are asked for. Not
 * seen are native code, threads that the component starts, datagrams, and what Node does by itself.
 */
import { constants, readlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../interface/shapes.ts';
import { O_PATH } from '../host/granted-place.ts';
import { grantLine, type HostUse } from '../wire/host-use.ts';

/** The decisions that can be taken about a use. */
export interface HostWatch {
  /** Called before each use; only in an audit. */
  readonly used?: (use: HostUse) => void;
}

type Use = Pick<HostUse, 'kind' | 'access' | 'target'>;
type UseOf = (words: readonly unknown[]) => Use | undefined;
type AnyFunction = (this: unknown, ...values: unknown[]) => unknown;

/** Stands in the message of a refusal that was explained already. */
const EXPLAINED = 'the jail refuses';
/** Error codes by which the jail refuses. */
const REFUSED: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EAGAIN']);
/**
 * Functions of `fs`, in all their three forms, whose first argument is a path: those that read,
 * those that write, and those for a directory.
 */
const READERS = ['readFile', 'copyFile', 'watch', 'watchFile'];
const WRITERS = ['writeFile', 'appendFile', 'truncate', 'chmod', 'chown', 'utimes'];
const LISTERS = ['readdir', 'opendir'];
const CHANGERS = ['mkdir', 'rmdir', 'rm', 'unlink', 'rename', 'mkdtemp'];
const forms = (names: readonly string[]): readonly string[] => names.flatMap((name) => [name, `${name}Sync`]);
/** Frames of our own code and of Node's are not the module that asked. */
const OWN_DIRECTORY = new URL('../../', import.meta.url).href;

/** The place of the first module in a stack that is neither Node's nor ours. */
function askerIn(stack: string | undefined): string {
  for (const line of (stack ?? '').split('\n').slice(1)) {
    const place = /\(?((?:file:\/\/)?\/[^()]+:\d+:\d+)\)?$/.exec(line)?.[1];
    if (place === undefined || place.startsWith(OWN_DIRECTORY)) continue;
    if (place.startsWith(OWN_DIRECTORY.slice('file://'.length))) continue;
    return place.replace('file://', '');
  }
  return 'an unknown module';
}

/** Numeric flags that write. Flags as letters are looked at likewise. */
const WRITE_FLAGS = constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;

/** O_PATH only looks whether there is something, and no jail forbids that. */
const looksOnly = (flags: unknown): boolean => typeof flags === 'number' && (flags & O_PATH) !== 0;

function accessOf(flags: unknown): HostUse['access'] {
  if (typeof flags === 'number') return (flags & WRITE_FLAGS) === 0 ? 'ro' : 'rw';
  return typeof flags !== 'string' || /^rs?$/.test(flags) ? 'ro' : 'rw';
}

function pathOf(path: unknown): string | undefined {
  if (typeof path === 'string') return named(resolve(path));
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path);
  return Buffer.isBuffer(path) ? resolve(path.toString()) : undefined;
}

/**
 * The name of a path. `env.host` opens things by descriptors, but people know them by their names.
 */
function named(path: string): string {
  const [, descriptor, rest = ''] = /^(\/proc\/self\/fd\/\d+)(\/.*)?$/.exec(path) ?? [];
  if (descriptor === undefined) return path;
  try {
    return readlinkSync(descriptor) + rest;
  } catch {
    return path;
  }
}

/** The address in the arguments of `connect` or `listen`, in all the forms that these take. */
function socketUse(words: readonly unknown[], what: 'connect' | 'listen'): Use | undefined {
  const [first, second] = words;
  // Node has brought the arguments into this form already.
  if (Array.isArray(first)) return socketUse(first, what);
  const options = isRecord(first) ? first : {};
  const path = typeof first === 'string' && !/^\d+$/.test(first) ? first : options['path'];
  if (typeof path === 'string') return { kind: `unix-${what}`, access: 'rw', target: named(resolve(path)) };
  const port = isRecord(first) ? options['port'] : first;
  const host = isRecord(first) ? options['host'] : second;
  if (typeof port !== 'number' && typeof port !== 'string') return undefined;
  const address = typeof host === 'string' ? host : what === 'connect' ? 'localhost' : '0.0.0.0';
  return { kind: `tcp-${what}`, access: 'rw', target: `${address}:${port}` };
}

/** Adds to the message of a refusal what would have allowed it. */
function explainRefusal(error: unknown, use: Use, by: Error): void {
  if (!(error instanceof Error) || !REFUSED.has(Reflect.get(error, 'code'))) return;
  if (error.message.includes(EXPLAINED)) return;
  const way =
    use.kind === 'program'
      ? 'no grant allows that in a jail'
      : `its start node allows it by <host> ${grantLine(use)} </host>`;
  error.message += ` (${EXPLAINED} ${use.target} to ${askerIn(by.stack)}; ${way})`;
}

/**
 * Watches this thread from now on. With `all`, modules that are not loaded yet are loaded and
 * watched too, which takes time.
 */
export function watchHost({ used }: HostWatch, all: boolean): void {
  const watch = new Watch(used);
  watch.files();
  if (all) {
    watch.sockets();
    watch.programs();
  }
  syncBuiltinESMExports();
}

class Watch {
  readonly #used: ((use: HostUse) => void) | undefined;

  constructor(used: ((use: HostUse) => void) | undefined) {
    this.#used = used;
  }

  files(): void {
    const useOf =
      (kind: HostUse['kind'], access: HostUse['access'], parent = false) =>
      ([path]: readonly unknown[]): Use | undefined => {
        const target = pathOf(path);
        if (target === undefined) return undefined;
        // To make a file takes a grant of the directory that it will be in.
        const makes = kind === 'file' && access === 'rw' && !fs.existsSync(target);
        if (makes) return { kind: 'directory', access, target: resolve(target, '..') };
        return { kind, access, target: parent ? resolve(target, '..') : target };
      };
    const open = (words: readonly unknown[]): Use | undefined =>
      looksOnly(words[1]) ? undefined : useOf('file', accessOf(words[1]))(words);
    const fs = process.getBuiltinModule('node:fs');
    for (const object of [fs, fs.promises]) {
      this.#wrap(object, forms(['open']), open);
      this.#wrap(object, forms(READERS), useOf('file', 'ro'));
      this.#wrap(object, forms(WRITERS), useOf('file', 'rw'));
      this.#wrap(object, forms(LISTERS), useOf('directory', 'ro'));
      this.#wrap(object, forms(CHANGERS), useOf('directory', 'rw', true));
    }
  }

  sockets(): void {
    const net = process.getBuiltinModule('node:net');
    const asked = new WeakMap<object, { readonly use: Use; readonly by: Error }>();
    this.#around(net.Socket.prototype, 'connect', (self, words) => {
      const use = socketUse(words, 'connect');
      if (use) asked.set(self, { use, by: this.#note(use) });
    });
    this.#around(net.Server.prototype, 'listen', (self, words) => {
      const use = socketUse(words, 'listen');
      if (use) asked.set(self, { use, by: this.#note(use) });
    });
    const explain = (self: object, error: unknown): void => {
      const found = asked.get(self);
      if (found) this.#explain(error, found.use, found.by);
    };
    this.#around(net.Socket.prototype, 'destroy', (self, [error]) => explain(self, error));
    this.#around(net.Server.prototype, 'emit', (self, [event, error]) => {
      if (event === 'error') explain(self, error);
    });
  }

  programs(): void {
    const module = process.getBuiltinModule('node:child_process');
    const useOf = (path: unknown): Use | undefined =>
      typeof path === 'string' ? { kind: 'program', access: 'ro', target: path } : undefined;
    const asked = new WeakMap<object, { readonly use: Use; readonly by: Error }>();
    this.#around(module.ChildProcess.prototype, 'spawn', (self, [options]) => {
      const use = useOf(
        typeof options === 'object' && options !== null ? Reflect.get(options, 'file') : undefined,
      );
      if (use) asked.set(self, { use, by: this.#note(use) });
    });
    this.#around(module.ChildProcess.prototype, 'emit', (self, [event, error]) => {
      const found = asked.get(self);
      if (event === 'error' && found) this.#explain(error, found.use, found.by);
    });
    this.#wrap(module, ['spawnSync'], ([file]) => useOf(file));
  }

  /** Notes a use. The result is an error whose stack shows which module asked. */
  #note(use: Use): Error {
    const by = new Error('asked');
    if (this.#used) this.#used({ ...use, module: askerIn(by.stack) });
    return by;
  }

  /** Replaces functions. They may fail by throwing, by rejecting, or by an error for a callback. */
  #wrap(object: object, names: readonly string[], useOf: UseOf): void {
    for (const name of names) {
      const original: unknown = Reflect.get(object, name);
      if (typeof original === 'function') Reflect.set(object, name, this.#wrapped(original, useOf));
    }
  }

  #wrapped(original: Function, useOf: UseOf): AnyFunction {
    const note = (use: Use): Error => this.#note(use);
    const explain = (error: unknown, use: Use, by: Error): void => this.#explain(error, use, by);
    const wrapper: AnyFunction = function (...words) {
      const use = useOf(words);
      if (!use) return Reflect.apply(original, this, words);
      const by = note(use);
      const last = words.at(-1);
      const told = (error: unknown, ...rest: readonly unknown[]): unknown => {
        explain(error, use, by);
        return typeof last === 'function' ? Reflect.apply(last, undefined, [error, ...rest]) : undefined;
      };
      try {
        const values = typeof last === 'function' ? [...words.slice(0, -1), told] : words;
        const result: unknown = Reflect.apply(original, this, values);
        if (result instanceof Promise) result.catch((error: unknown) => explain(error, use, by));
        if (isRecord(result)) explain(result['error'], use, by);
        return result;
      } catch (error) {
        explain(error, use, by);
        throw error;
      }
    };
    // Properties of the function, such as its form with promises, are kept.
    return Object.assign(wrapper, original);
  }

  /** In an audit there is no jail that could refuse. */
  #explain(error: unknown, use: Use, by: Error): void {
    if (!this.#used) explainRefusal(error, use, by);
  }

  /** Calls `look` with the arguments of each call of a method. */
  #around(object: object, name: string, look: (self: object, words: readonly unknown[]) => void): void {
    const original: unknown = Reflect.get(object, name);
    if (typeof original !== 'function') return;
    Reflect.set(object, name, function (this: object, ...words: unknown[]): unknown {
      look(this, words);
      return Reflect.apply(original, this, words);
    });
  }
}
