/**
 * The resolve hook in the form that Node loads into a thread of its own (`module.register`, Node
 * 20).
 */
import type { InitializeHook, ResolveHook, ResolveHookContext } from 'node:module';
import { inherit } from './instance-url.ts';

let shared = '';

/**
 * See https://nodejs.org/api/module.html#initialize; `runtime` is the URL below which the shared
 * modules lie.
 */
export const initialize: InitializeHook<string> = (runtime) => {
  shared = runtime;
};

/** See https://nodejs.org/api/module.html#resolvespecifier-context-nextresolve */
export const resolve: ResolveHook = async (specifier, context: ResolveHookContext, nextResolve) => {
  const found = await nextResolve(specifier, context);
  return { ...found, url: inherit(found.url, context.parentURL, shared) };
};
