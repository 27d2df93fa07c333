import { SessionError } from '@ginit/core';
import { quotedList } from '@ginit/core/config';

/** A request that was denied because the child to which its route leads does not run. */
export class NotRunning extends SessionError {
  /** The label that the routes see. */
  readonly label: string;
  /** Why there is no session, in one phrase. */
  readonly phrase: string;

  constructor(server: string, label: string) {
    super('DENIED', `server "${server}" is not running`);
    this.label = label;
    this.phrase = `route leads to ${quotedList([server])}, which does not run`;
  }
}
