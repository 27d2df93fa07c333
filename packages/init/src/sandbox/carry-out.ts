/** Does to the children what a plan says, as far as that is done at once. */
import type { Env } from '@ginit/core';
import type { StartNode } from '../model/index.ts';
import type { Change } from '../plan/index.ts';
import type { Child } from './child.ts';
import type { Replacements } from './replacements.ts';
import type { Work } from './work.ts';

/** The parts of a sandbox that change. */
export interface ChangingHost {
  readonly env: Pick<Env, 'warning'>;
  readonly children: Map<string, Child>;
  readonly replacements: Replacements;
  /** Makes a child that begins when those before it under its name are gone. */
  make(start: StartNode, before: Child | undefined): Child;
  /** If there is a replacement for a child that leaves its place, it is there from now on. */
  takesOver(child: Child): boolean;
}

/** Carries out one change, and adds to `work` what is to be done beside everything else. */
export function carryOut(change: Change, work: Work, host: ChangingHost): void {
  const { children, replacements } = host;
  switch (change.kind) {
    case 'start': {
      const before = children.get(change.start.name);
      const child = host.make(change.start, before);
      child.retried = before?.over?.how === 'failed';
      work.launch.push(child);
      return;
    }
    case 'restart': {
      const { start, after } = change;
      if (after !== undefined && !work.ready.has(after)) return;
      const before = children.get(start.name);
      if (before) work.leave.push(before);
      if (after !== start.name || !before || !host.takesOver(before)) {
        work.launch.push(host.make(start, before));
      }
      return;
    }
    case 'replace': {
      const { forced, touched, retry } = work;
      const { name } = change.start;
      const next = replacements.begin(change.start, { forced: forced.get(name), touched, retry });
      if (next) work.launch.push(next);
      return;
    }
    case 'stop': {
      const child = children.get(change.name);
      if (child) work.leave.push(child);
      children.delete(change.name);
      return;
    }
    case 'stuck':
      void host.env.warning(`${change.name}: ${change.why}`);
      children.get(change.name)?.becomeStuck(change.why, change.lost);
      return;
    case 'reattach': {
      // The server that is replaced tells its clients itself, when the time has come.
      if (change.after !== undefined) return;
      const lost = new Set(change.sessions.map(({ session }) => session));
      children.get(change.name)?.sessions.endLost(lost);
      return;
    }
    case 'config':
      children.get(change.name)?.updateConfig();
      return;
    case 'provides':
      children.get(change.name)?.server.declare(change.added, change.removed);
      return;
    case 'budget':
      work.budget = true;
      return;
  }
}
