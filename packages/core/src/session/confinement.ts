/**
 * Confinement: whether what a CPU session starts must be jailed, because whoever uses the session is. It travels as an argument
 * of the session, which parents add and nobody on the way to core takes away: a jailed component does not get out of its
 * jail by starting itself again.
 *
 *     confined="yes"
 */
import { SessionError } from '../errors.ts';
import type { SessionArguments } from './parent.ts';

/** Whether the arguments of a session confine what it starts. Throws `DENIED` if they make no sense. */
export function isConfined({ confined }: SessionArguments): boolean {
  if (confined === undefined) return false;
  if (confined === 'yes') return true;
  throw new SessionError('DENIED', 'the argument "confined" of a CPU session is "yes" or missing');
}

/** The same arguments, of a session that starts jailed components only. */
export function withConfinement(args: SessionArguments): SessionArguments {
  return { ...args, confined: 'yes' };
}
