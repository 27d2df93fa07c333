/** Imports a component as an instance of its own. */
import { Component } from '../../component.ts';
import { installInstanceHooks } from './instance-hooks.ts';
import { instanceUrl } from './instance-url.ts';

/** No two instances of this thread have one name, whatever system they belong to. */
let instances = 0;

/** The component, fresh: it shares no module with any other. */
export async function loadInstance(moduleUrl: string): Promise<Component> {
  installInstanceHooks();
  const module: unknown = await import(instanceUrl(moduleUrl, String(++instances)));
  const exported: unknown =
    typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
  const component = Component.from(exported);
  if (!component) throw new TypeError('the module has no default export made by component()');
  return component;
}
