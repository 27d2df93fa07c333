import type { Platform } from '../../supervisor/platform.ts';
import type { BusWay } from './bus-line.ts';

/** A platform of one machine whose components can have channels to other machines. */
export interface LocalPlatform extends Platform {
  /**
   * Joins a component of this machine to one of another. `ended` is called, with the reason, when
   * the channel has ended on the bus, or if there will be none.
   */
  joinOverBus(component: number, peer: number, way: BusWay, ended: (reason: string) => void): void;
}
