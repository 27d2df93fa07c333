/**
 * Confinement: a component in a jail may start only jailed components, or it could leave its jail
 * by starting itself again outside. The rule is an argument of the CPU session. A parent adds it to
 * the sessions of a jailed child, and nobody on the way to the supervisor takes it away:
 *
 *     confined="yes"
 */
import { SessionError } from '../errors.ts';
import type { SessionArguments } from './parent.ts';

/**
 * Whether the arguments of a CPU session demand that everything it starts is jailed. Throws
 * `DENIED` if the argument is neither `yes` nor missing.
 */
export function isConfined({ confined }: SessionArguments): boolean {
  if (confined === undefined) return false;
  if (confined === 'yes') return true;
  throw new SessionError('DENIED', 'the argument "confined" of a CPU session is "yes" or missing');
}

/** The same arguments with the demand that everything the session starts is jailed. */
export function withConfinement(args: SessionArguments): SessionArguments {
  return { ...args, confined: 'yes' };
}
