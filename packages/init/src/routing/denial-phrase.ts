import { quotedList } from '@ginit/core/config';
import { labelWithin } from '@ginit/core/system';
import type { RouteDenial, RouteRequest } from './resolve.ts';

/** Why a request has no route, in one phrase for people: shorter than the warning in the log. */
export function denialPhrase(denial: RouteDenial, { service, label, childName }: RouteRequest): string {
  const own = labelWithin(label, childName) ?? '';
  const what = own === '' ? service : `${service} "${own}"`;
  switch (denial.reason) {
    case 'no-routes':
    case 'no-rule':
      return `no route for ${what}`;
    case 'no-provider':
      return noProvider(denial, service, what);
    case 'ambiguous':
    case 'bad-label':
      return `no route for ${what}: ${denial.text}`;
  }
}

function noProvider({ rule }: RouteDenial, service: string, what: string): string {
  const names = (rule?.targets ?? []).map((target) => {
    switch (target.kind) {
      case 'parent':
        return 'the parent';
      case 'local':
        return '<local/>';
      case 'child':
        return quotedList([target.name]);
      case 'any-child':
        return 'any child';
    }
  });
  if (names.length === 0) return `no route for ${what}: its rule has no target`;
  const verb = names.length === 1 ? 'does' : 'do';
  return `route leads to ${names.join(', ')}, which ${verb} not provide ${service}`;
}
