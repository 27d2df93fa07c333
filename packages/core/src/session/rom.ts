/**
 * ROM: a module's content in versions. What a client sees never changes until it asks: `update` says whether there
 * is something new, `dataspace` hands out the newest version. A handler that is set when the client's version
 * is already outdated is woken at once, so that no change between opening and listening is lost.
 */
import { signal } from '../capability/capability.ts';
import type { SignalCapability } from '../capability/signal.ts';
import { rpc, session } from '../interface/interface.ts';
import { boolean, nothing, nullable, type Shape, ShapeError } from '../interface/shapes.ts';
import { Dataspace } from '../memory/dataspace.ts';

/** Accepts a dataspace. */
export const dataspace: Shape<Dataspace> = (value, where) => {
  if (value instanceof Dataspace) return value;
  throw new ShapeError(where, 'a dataspace');
};

/** The ROM session. */
export const Rom = session('ROM', {
  /** The newest content, sealed; `null` while the module is absent. */
  dataspace: rpc<() => Dataspace | null>({ args: [], result: nullable(dataspace) }),
  /** Whether the content has changed since this client last asked for it. */
  update: rpc<() => boolean>({ args: [], result: boolean }),
  setHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
});
