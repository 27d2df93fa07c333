/** Gives each component instance a module graph of its own, from the next import on. */
import * as nodeModule from 'node:module';
import { inherit } from './instance-url.ts';

interface Found {
  readonly url: string;
}
interface HookContext {
  readonly parentURL?: string | undefined;
}
type NextResolve = (specifier: string, context: HookContext) => Found;

/** The URL below which the modules of the runtime lie. All instances share those. */
const SHARED = new URL('.', import.meta.resolve('@ginit/core')).href;
let installed = false;

/**
 * Installs the hook in this thread, once. Modules without an instance stay as they are. The hook
 * runs in the thread itself where Node can do that (`registerHooks`, 22.15 and later), else in
 * Node's thread for hooks.
 */
export function installInstanceHooks(): void {
  if (installed) return;
  installed = true;
  const registerHooks: unknown = Reflect.get(nodeModule, 'registerHooks');
  if (typeof registerHooks !== 'function') {
    nodeModule.register(new URL('./instance-hook.js', import.meta.url), { data: SHARED });
    return;
  }
  const resolve = (specifier: string, context: HookContext, next: NextResolve): Found => {
    const found = next(specifier, context);
    return { ...found, url: inherit(found.url, context.parentURL, SHARED) };
  };
  Reflect.apply(registerHooks, undefined, [{ resolve }]);
}
