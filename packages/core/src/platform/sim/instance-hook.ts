/** The resolve hook in a form that Node loads into a thread of its own (`module.register`, Node 20). */
import type { ResolveHook, ResolveHookContext } from 'node:module';
import { inherit } from './instance-url.ts';

const SHARED = new URL('../../', import.meta.url).href;

/** See https://nodejs.org/api/module.html#resolvespecifier-context-nextresolve */
export const resolve: ResolveHook = async (specifier, context: ResolveHookContext, nextResolve) => {
  const found = await nextResolve(specifier, context);
  return { ...found, url: inherit(found.url, context.parentURL, SHARED) };
};
