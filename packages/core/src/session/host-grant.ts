/** Host grants: what of the host a config lets a driver touch. */
import { oneOf, record, type ShapeType, text } from '../interface/shapes.ts';

/** A grant, as the config spells it; the driver names the thing by the same spelling. */
export const hostGrant = record({
  kind: oneOf(['file', 'directory', 'device', 'tcp-listen', 'tcp-connect']),
  /** Path, or HOST:PORT. */
  path: text(4096),
  access: oneOf(['ro', 'rw']),
});
export type HostGrantFact = ShapeType<typeof hostGrant>;
export type HostGrantKind = HostGrantFact['kind'];
