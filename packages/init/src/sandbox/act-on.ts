import type { Env } from '@ginit/core';
import type { ChildAction, ThreadState } from '@ginit/core/system';
import type { Child } from './child.ts';

/** A child to which something is done, and the ways to do it. */
export interface Acting {
  readonly env: Pick<Env, 'warning'>;
  readonly child: Child | undefined;
  readonly restart: (why: string) => void;
  readonly crashed: (child: Child, state: ThreadState) => void;
}

/** Restarts or kills a child as somebody has asked for; the result says why that is impossible. */
export function actOn(
  name: string,
  action: ChildAction,
  { env, child, restart, crashed }: Acting,
): string | undefined {
  if (!child || (action === 'kill' && child.ended)) return `"${name}" does not run`;
  void env.warning(`child "${name}" is ${action === 'kill' ? 'killed' : 'restarted'} by a command`);
  switch (action) {
    case 'restart':
      restart('a command has asked for it');
      return undefined;
    case 'kill':
      crashed(child, { state: 'crashed', reason: 'killed by a command', culprit: true });
      void child.kill();
      return undefined;
  }
}
