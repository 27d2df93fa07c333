/**
 * ROM: a module's content in versions. What a client sees never changes until it asks: `update`
 * says whether there is something new, `dataspace` hands out the newest version. A handler that is
 * set when the client's version is already outdated is woken at once, so that no change between
 * opening and listening is lost.
 */
import { signal } from '../capability/capability.ts';
import type { SignalCapability } from '../capability/signal.ts';
import { COSTS } from '../costs.ts';
import { rpc, session } from '../interface/interface.ts';
import { boolean, nothing, nullable, type Shape, ShapeError } from '../interface/shapes.ts';
import { shapeWith } from '../interface/shape.ts';
import { Dataspace } from '../memory/dataspace.ts';
import { refuseInValues } from '../message/value.ts';

function checkDataspace(value: unknown, where: string): Dataspace {
  if (value instanceof Dataspace) return value;
  throw new ShapeError(where, 'a dataspace');
}

/**
 * A shape for a dataspace. Its content travels with the message where the carrier shares no memory.
 */
export const dataspace: Shape<Dataspace> = shapeWith(checkDataspace, {
  signature: 'dataspace',
  write(writer, value, where) {
    const sent = checkDataspace(value, where);
    if (!writer.carry(sent)) return;
    writer.blob(sent.attach());
    // A dataspace that its owner has taken back while it was copied is not sent: this throws
    // `Revoked`.
    sent.attach();
  },
  read: (reader, where) => checkDataspace(reader.carried(), where),
});

refuseInValues(Dataspace, 'a dataspace');

/** The ROM session. */
export const Rom = session(
  'ROM',
  {
    /** The newest content, sealed; `null` while the module is absent. */
    dataspace: rpc<() => Dataspace | null>({ args: [], result: nullable(dataspace) }),
    /** Whether the content has changed since this client last asked for it. */
    update: rpc<() => boolean>({ args: [], result: boolean }),
    setHandler: rpc<(handler: SignalCapability) => void>({ args: [signal], result: nothing }),
  },
  { cost: COSTS.rom },
);
