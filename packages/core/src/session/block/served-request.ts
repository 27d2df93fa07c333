import { RpcError } from '../../errors.ts';
import { Packet } from '../../packet-stream/index.ts';
import { BLOCK_STATUS } from './declaration.ts';
import { statusOfError } from './block-status.ts';

/** A request that a backend is working on. The object is used for one request after the other. */
export class ServedRequest {
  readonly packet = new Packet();
  readonly #end: (request: ServedRequest, status: number) => void;
  readonly #succeed = (): void => this.#end(this, BLOCK_STATUS.ok);
  readonly #fail = (error: unknown): void => {
    if (error instanceof RpcError) this.#end(this, statusOfError(error));
    else {
      this.#end(this, BLOCK_STATUS.inputOutput);
      // The device did not fail; the server has a fault, which ends it.
      throw error;
    }
  };

  /** `end` is called once for each `run`, perhaps before that has returned. */
  constructor(end: (request: ServedRequest, status: number) => void) {
    this.#end = end;
  }

  run(perform: () => void | Promise<void>): void {
    let pending: void | Promise<void>;
    try {
      pending = perform();
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (pending === undefined) this.#succeed();
    else void pending.then(this.#succeed, this.#fail);
  }
}
