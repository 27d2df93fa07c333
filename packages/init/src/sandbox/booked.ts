import type { LedgerChild } from '@ginit/core/system';
import { plus } from './amounts.ts';
import type { Child } from './child.ts';

/**
 * The books about children. Of two that run side by side under one name, one of which is to take
 * the place of the other, there is one entry: their accounts have the same label.
 */
export function ledgerOf(children: Iterable<Child>): LedgerChild[] {
  const entries: LedgerChild[] = [];
  /** The place of the entry of each name that is not ending. */
  const places = new Map<string, number>();
  for (const { booked, ledger } of new Set(children)) {
    if (!booked) continue;
    const place = ledger.ending ? undefined : places.get(ledger.name);
    const other = place === undefined ? undefined : entries[place];
    if (place !== undefined && other) {
      entries[place] = both(other, ledger);
      continue;
    }
    if (!ledger.ending) places.set(ledger.name, entries.length);
    entries.push(ledger);
  }
  return entries;
}

function both(one: LedgerChild, two: LedgerChild): LedgerChild {
  return {
    name: one.name,
    // Nobody else can tell the two apart.
    ending: true,
    given: plus(one.given, two.given),
    sessions: one.sessions.concat(two.sessions),
  };
}
