/** A plan in words, for people. */
import { formatBytes, quotedList } from '@ginit/core/config';
import type { PlannedLine } from '@ginit/core/system';
import type { Quota } from '../model/index.ts';
import type { Change } from './changes.ts';
import { whereText } from './where-text.ts';

/** A plan in lines for people; the line of a child that goes on with another config names it. */
export function describePlan(changes: readonly Change[]): PlannedLine[] {
  return changes.flatMap((change) =>
    describeChange(change).map((text) => ({
      text,
      newConfig: change.kind === 'config' ? change.name : undefined,
    })),
  );
}

/** One change in a line; the lines of its reroutes follow, set in by two spaces. */
export function describeChange(change: Change): string[] {
  switch (change.kind) {
    case 'start':
      return [`start "${change.start.name}": ${change.why}`];
    case 'stop':
      return [`stop "${change.name}": ${change.why}`];
    case 'restart':
      return [
        `restart "${change.start.name}"${afterText(change.after)}: ${change.why}`,
        ...change.reroutes.flatMap(({ session: { service, label }, to }) =>
          to ? [`  re-route ${service} "${label}" to ${whereText(to)}`] : [],
        ),
      ];
    case 'replace': {
      const { name, ram, caps } = change.start;
      return [
        `replace "${name}" when another is ready: ${change.why}`,
        `  it takes ${quotaText({ ram, caps })} more until then`,
      ];
    }
    case 'stuck':
      return [`stuck "${change.name}": ${change.why}`];
    case 'reattach':
      return [
        `re-attach "${change.name}"${afterText(change.after)}: ${change.why}`,
        ...change.sessions.map(({ session: { service, label }, to }) =>
          to
            ? `  new ${service} session "${label}" at ${whereText(to)}`
            : `  no ${service} session "${label}" until there is a route for it`,
        ),
      ];
    case 'config':
      return [`new config for "${change.name}"`];
    case 'provides':
      return [`services of "${change.name}": ${servicesText(change.added, change.removed)}`];
    case 'budget':
      return [`re-budget "${change.name}": ${quotaText(change.from)} become ${quotaText(change.to)}`];
  }
}

function afterText(replaced: string | undefined): string {
  return replaced === undefined ? '' : ` when "${replaced}" is replaced`;
}

function servicesText(added: readonly string[], removed: readonly string[]): string {
  const parts = [
    added.length > 0 ? `${quotedList(added)} added` : '',
    removed.length > 0 ? `${quotedList(removed)} removed` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function quotaText({ ram, caps }: Quota): string {
  return `${formatBytes(ram)} of ram and ${caps} caps`;
}
