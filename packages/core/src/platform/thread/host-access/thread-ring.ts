import { IoRing } from '../../host/io-ring.ts';

let ring: IoRing | undefined;
/** Whether the thread has found out that it cannot have a ring. */
let without = false;

/** The ring of this thread, made when it is needed; undefined where the host gives none. */
export function threadRing(): IoRing | undefined {
  if (without) return undefined;
  if (ring && !ring.closed) return ring;
  const made = IoRing.open();
  if (typeof made === 'string') without = true;
  else ring = made;
  return without ? undefined : ring;
}
