/** The things of the host that a driver has open, bounded. */
import { RpcError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { HostErrorCode } from '../../../runtime/host-access.ts';

/** Counts open files, directories, devices, sockets and programs of one component. */
export class OpenThings {
  #count = 0;

  /**
   * Counts one more open thing. Call the result, any number of times, when it is closed. Throws
   * `LimitExceeded`.
   */
  add(): () => void {
    if (this.full) {
      const code: HostErrorCode = 'LimitExceeded';
      throw new RpcError(code, `more than ${LIMITS.hostObjects} things of the host are open`);
    }
    this.#count++;
    let open = true;
    return () => {
      if (open) this.#count--;
      open = false;
    };
  }

  get full(): boolean {
    return this.#count >= LIMITS.hostObjects;
  }
}
