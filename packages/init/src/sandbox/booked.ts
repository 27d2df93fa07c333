import type { LedgerChild } from '@ginit/core/system';
import type { Child } from './child.ts';

/**
 * The books about children. Of two that run side by side under one name, one of which is to take
 * the place of the other, there is one entry: their accounts have the same label.
 */
export function ledgerOf(children: Iterable<Child>): LedgerChild[] {
  const entries = new Map<string, LedgerChild[]>();
  for (const { booked, ledger } of new Set(children)) {
    if (!booked) continue;
    const same = entries.get(ledger.name) ?? [];
    entries.set(ledger.name, [...same, ledger]);
  }
  return [...entries.values()].flatMap((same) => {
    const [one, two] = same.filter(({ ending }) => !ending);
    if (!one || !two) return same;
    const both: LedgerChild = {
      name: one.name,
      // Nobody else can tell the two apart.
      ending: true,
      given: { ram: one.given.ram + two.given.ram, caps: one.given.caps + two.given.caps },
      sessions: [...one.sessions, ...two.sessions],
    };
    return [...same.filter(({ ending }) => ending), both];
  });
}
