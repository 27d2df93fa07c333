import { RpcError } from '../../errors.ts';
import { Packet } from '../../packet-stream/index.ts';
import { type BlockAnswer, RETRY } from './block-backend.ts';
import { BLOCK_STATUS } from './declaration.ts';
import { statusOfCode, statusOfError } from './block-status.ts';

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

  /**
   * `end` is called once for each `offer` that did not return `'later'`, perhaps before that has
   * returned.
   */
  constructor(end: (request: ServedRequest, status: number) => void) {
    this.#end = end;
  }

  /** Offers the request to the backend; `'later'` if the backend cannot take it now. */
  offer(perform: () => BlockAnswer): 'later' | undefined {
    let answer: BlockAnswer;
    try {
      answer = perform();
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
    if (answer === undefined) this.#succeed();
    else if (answer === RETRY) return 'later';
    else if ('rejected' in answer) this.#end(this, statusOfCode(answer.rejected));
    else void answer.then(this.#succeed, this.#fail);
    return undefined;
  }
}
