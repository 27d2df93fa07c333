/** Imports a component as an instance of its own. */
import { Component } from '@ginit/core';
import { installInstanceHooks } from './instance-hooks.ts';
import { instanceUrl } from './instance-url.ts';

/**
 * The number of instances so far. No two instances in this thread have the same name, even if they
 * belong to different systems.
 */
let instances = 0;
/** Components whose modules have no state: all their instances in this thread share the modules. */
const stateless = new Map<string, Promise<Component>>();

/**
 * Loads a component anew, so that it shares no module with any other instance. With `shared` it
 * gets the modules that were loaded for it before, which saves most of the time of a start. That is
 * meant for our own components which are known to keep no state in their modules.
 */
export function loadInstance(moduleUrl: string, shared: boolean): Promise<Component> {
  installInstanceHooks();
  if (!shared) return load(instanceUrl(moduleUrl, String(++instances)));
  const known = stateless.get(moduleUrl);
  if (known) return known;
  const loading = load(moduleUrl);
  stateless.set(moduleUrl, loading);
  return loading;
}

async function load(url: string): Promise<Component> {
  const module: unknown = await import(url);
  const exported: unknown =
    typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
  const component = Component.from(exported);
  if (!component) throw new TypeError('the module has no default export made by component()');
  return component;
}
