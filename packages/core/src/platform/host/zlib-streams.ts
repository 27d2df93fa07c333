/**
 * The asynchronous half of `node:zlib`, which components may import: its streams, and the functions that are made of them. They
 * work in threads of libuv's pool and come back through the event loop, which a parked thread does not turn.
 */

type Transform = (this: object, chunk: unknown, encoding: unknown, done: (error: Error) => void) => unknown;

/** The prototype that all streams of zlib share, and that has their `_transform`. */
function streamPrototype(): object | undefined {
  const { Gzip } = process.getBuiltinModule('node:zlib');
  let prototype: unknown = Reflect.get(Gzip, 'prototype');
  while (typeof prototype === 'object' && prototype !== null) {
    if (Object.hasOwn(prototype, '_transform')) return prototype;
    prototype = Object.getPrototypeOf(prototype);
  }
  return undefined;
}

/** Whether anybody in this thread has imported zlib: loading it only to look would take longer than everything else here. */
export function zlibIsLoaded(): boolean {
  const loaded: unknown = Reflect.get(process, 'moduleLoadList');
  return Array.isArray(loaded) && loaded.includes('NativeModule zlib');
}

/**
 * Asks `refuse` before a stream of zlib works: an error that it returns is the stream's, and nothing is begun. The result
 * restores what was there.
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
