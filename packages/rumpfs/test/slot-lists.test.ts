import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlotLists } from '../src/buffer/slot-lists.ts';

test('lists in typed arrays behave as arrays do', () => {
  const step = fc.record({ slot: fc.nat(9), list: fc.nat(3) });
  const property = fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const lists = new SlotLists(10, 3);
    const model: number[][] = [[], [], [], []];
    for (const { slot, list } of steps) {
      for (const members of model) if (members.includes(slot)) members.splice(members.indexOf(slot), 1);
      if (list > 0) model[list]?.push(slot);
      if (list > 0) lists.putFirst(slot, list);
      else lists.remove(slot);
      expect(lists.listOf(slot)).toBe(list);
      for (let number = 1; number <= 3; number += 1) {
        const found: number[] = [];
        for (let member = lists.last(number); member >= 0; member = lists.newer(member)) found.push(member);
        expect(found).toEqual(model[number]);
        expect(lists.length(number)).toBe(found.length);
      }
    }
  });
  fc.assert(property);
});
