import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlotLists } from '../src/slot-lists.ts';

test('lists in typed arrays behave as arrays do', () => {
  const step = fc.record({ slot: fc.nat(9), list: fc.nat(3), last: fc.boolean() });
  const property = fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const lists = new SlotLists(10, 3);
    const model: number[][] = [[], [], [], []];
    for (const { slot, list, last } of steps) {
      for (const members of model) if (members.includes(slot)) members.splice(members.indexOf(slot), 1);
      if (list === 0) lists.remove(slot);
      else if (last) {
        model[list]?.push(slot);
        lists.putLast(slot, list);
      } else {
        model[list]?.unshift(slot);
        lists.putFirst(slot, list);
      }
      expect(lists.listOf(slot)).toBe(list);
      for (let number = 1; number <= 3; number++) {
        const found: number[] = [];
        for (let member = lists.first(number); member >= 0; member = lists.after(member)) found.push(member);
        expect(found).toEqual(model[number]);
        const back: number[] = [];
        for (let member = lists.last(number); member >= 0; member = lists.before(member)) back.push(member);
        expect(back).toEqual(found.toReversed());
        expect(lists.length(number)).toBe(found.length);
      }
    }
  });
  fc.assert(property);
});
