import type { SessionArguments } from '@ginit/core/system';
import type { StartNode } from '../model/index.ts';

/** The argument of a PD session that says that its account manages the system. */
const ARGUMENT = 'managing_system';

/**
 * The arguments of a PD session as they go on (reference: Genode's init). The account of a child
 * carries the argument if its start node says so. A session that the child asks for itself carries
 * it only if both the start node and the request say so; otherwise it is taken out.
 */
export function managingArguments(
  args: SessionArguments,
  { managingSystem }: Pick<StartNode, 'managingSystem'>,
  own: boolean,
): SessionArguments {
  const { [ARGUMENT]: asked, ...others } = args;
  return managingSystem && (own || asked === true) ? { ...others, [ARGUMENT]: true } : others;
}
