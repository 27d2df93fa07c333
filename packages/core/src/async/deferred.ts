/** A promise that is settled from outside. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes one. Somebody must wait for it before it is rejected, as with any promise. */
export function deferred<Value>(): Deferred<Value> {
  let resolve: (value: Value) => void = unset;
  let reject: (error: unknown) => void = unset;
  const promise = new Promise<Value>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}

/** Makes one of which a rejection is no fault, even if nobody ever waits for it. */
export function quietDeferred<Value>(): Deferred<Value> {
  const made = deferred<Value>();
  made.promise.catch(() => {});
  return made;
}

function unset(): void {
  throw new Error('a promise runs its executor at once');
}
