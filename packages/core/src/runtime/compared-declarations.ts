/** What both ends of a session declare is compared, if the server is on another machine. */
import { COMPARE_OPERATION, declarationsOf, differing } from '../capability/compare-operation.ts';
import type { Reference } from '../capability/reference.ts';
import { SessionError } from '../errors.ts';
import type { SessionInterface } from '../interface/interface.ts';

/**
 * Throws `SessionError` if the server declares an operation of this name with other shapes, and
 * `RpcError` if it is gone.
 */
export async function refuseDifferences(
  interface_: SessionInterface,
  label: string,
  reference: Reference,
): Promise<void> {
  const declared = declarationsOf(interface_);
  if (declared.length === 0) return;
  const names = differing(await reference.call(COMPARE_OPERATION, [declared]));
  if (names.length === 0) return;
  const which = names.map((name) => `"${name}"`).join(', ');
  const reason = `the server, which is on another machine, declares ${which} with other shapes`;
  throw new SessionError('DENIED', `${interface_.service} session "${label}": ${reason}`);
}
