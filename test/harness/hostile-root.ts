/** Components that answer their parent as no honest runtime does. In-process systems only: it is done to the test's own modules. */
import type { Env, Implementation, SessionInterface } from '@ginit/core';
import { Root } from '@ginit/core';
import { Entrypoint } from '@ginit/core/runtime/entrypoint';

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
