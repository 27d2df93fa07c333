/**
 * The asynchronous half of `node:zlib`, which components may import: its streams, and the functions
 * that are made of them. They work in threads of libuv's pool and answer through the event loop,
 * which does not run in a parked thread.
 */

type Transform = (this: object, chunk: unknown, encoding: unknown, done: (error: Error) => void) => unknown;

/** The prototype that all streams of zlib share. It has their `_transform`. */
function streamPrototype(): object | undefined {
  const { Gzip } = process.getBuiltinModule('node:zlib');
  let prototype: unknown = Reflect.get(Gzip, 'prototype');
  while (typeof prototype === 'object' && prototype !== null) {
    if (Object.hasOwn(prototype, '_transform')) return prototype;
    prototype = Object.getPrototypeOf(prototype);
  }
  return undefined;
}

/**
 * Whether a module in this thread has imported zlib. Importing it only to ask would take longer
 * than everything else here.
 */
export function zlibIsLoaded(): boolean {
  const loaded: unknown = Reflect.get(process, 'moduleLoadList');
  return Array.isArray(loaded) && loaded.includes('NativeModule zlib');
}

/**
 * Calls `refuse` before a stream of zlib works. If it returns an error, the stream fails with that,
 * and no work is begun. The result restores the stream's own method.
 */
export function guardZlibStreams(refuse: () => Error | undefined): () => void {
  const prototype = streamPrototype();
  if (!prototype) return () => {};
  const real: Transform = Reflect.get(prototype, '_transform');
  const guarded: Transform = function (chunk, encoding, done) {
    const error = refuse();
    return error ? done(error) : Reflect.apply(real, this, [chunk, encoding, done]);
  };
  Reflect.set(prototype, '_transform', guarded);
  return () => Reflect.set(prototype, '_transform', real);
}
