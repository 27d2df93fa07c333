/** Clients for systems in the test's own thread. */
import { type Component, component, type Main, type Manifest, RpcError } from '@ginit/core';
import { Block } from '@ginit/core/block';

/** A client that exits with 0 if its work ends well. */
export function clientOf(work: Main, manifest: Manifest = { requires: [Block] }): Component {
  return component(manifest, async (env) => {
    try {
      await work(env);
      env.exit(0);
    } catch (error) {
      await env.error(error instanceof Error ? (error.stack ?? '') : String(error));
      env.exit(1);
    }
  });
}

/** How a promise ends: `succeeded`, or the code of its error. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : `not an RpcError: ${String(error)}`),
  );
}

/** How a promise ends: `succeeded`, or its error as a text. */
export function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'succeeded',
    (error: unknown) => String(error),
  );
}
