/**
 * Components that speak to their parent as no honest runtime does. This is for in-process systems
 * only: it replaces parts of the runtime, which is the test's own there.
 */
import { type Capability, type Env, type Implementation, type SessionInterface } from '@ginit/core';
import { Parent, Root } from '@ginit/core/system';
import { ExportedObject } from '../../packages/core/src/capability/exported-object.ts';
import { Entrypoint } from '../../packages/core/src/runtime/entrypoint.ts';

type ParentCapability = Capability<typeof Parent>;

const parents = new WeakMap<object, ParentCapability>();

/** From now on `parentOf` knows the parents of components that start. The result ends that. */
export function watchParents(): () => void {
  const original = Reflect.get(ExportedObject.prototype, 'invoke');
  ExportedObject.prototype.invoke = function watched(operation, args) {
    const [request] = args;
    if (operation.name === 'start' && typeof request === 'object' && request !== null) {
      const pd: unknown = Reflect.get(request, 'pd');
      const parent: unknown = Reflect.get(request, 'parent');
      if (typeof pd === 'object' && pd !== null && isParent(parent)) parents.set(pd, parent);
    }
    return Reflect.apply(original, this, [operation, args]);
  };
  return () => {
    ExportedObject.prototype.invoke = original;
  };
}

function isParent(value: unknown): value is ParentCapability {
  return typeof value === 'object' && value !== null && 'announce' in value;
}

/** The capability by which a component calls its parent. */
export function parentOf(env: Env): ParentCapability {
  const parent = parents.get(env.pd);
  if (!parent) throw new Error('nobody has watched when the component started');
  return parent;
}

/** Announces a service whose root object is the given one, not the runtime's. */
export function provideByRoot(
  env: Env,
  interface_: SessionInterface,
  root: Implementation<typeof Root>,
): void {
  const original = Reflect.get(Entrypoint.prototype, 'export');
  Entrypoint.prototype.export = function replaced(asked, implementation) {
    return Reflect.apply(original, this, [asked, asked.name === Root.name ? root : implementation]);
  };
  try {
    env.provide(interface_, () => ({}));
  } finally {
    Entrypoint.prototype.export = original;
  }
}
