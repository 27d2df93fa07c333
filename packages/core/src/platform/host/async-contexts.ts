/**
 * Keeps trace contexts through awaits by Node's AsyncLocalStorage. On Node 20 that slows down every
 * promise of the thread while it is in use, so it is loaded with the first context, and given up
 * when tracing ends.
 */
import type { ContextStore } from '../../trace/tracer.ts';

/** A store of contexts. */
export function asyncContexts(): ContextStore {
  const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks');
  const storage = new AsyncLocalStorage<Parameters<ContextStore['run']>[0]>();
  return {
    current: () => storage.getStore(),
    run: (context, what) => storage.run(context, what),
    stop: () => storage.disable(),
  };
}
