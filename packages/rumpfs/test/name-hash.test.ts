import { afterAll, describe, expect, test } from 'vitest';
import { HASH_VERSION, hashOfName } from '../src/ext/name-hash.ts';
import { missingTools, run, Workshop } from './e2fsprogs.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`hashes of names ${missingTools ?? ''}`, () => {
  test('they are those of debugfs, for every version, with signed and unsigned bytes', () => {
    const names = [
      'a',
      'lost+found',
      'x'.repeat(31),
      'y'.repeat(32),
      'z'.repeat(33),
      'n'.repeat(255),
      'ümläut-é',
    ];
    const image = workshop.save(workshop.make('1M', ['-b', '1024']));
    const seed = '01020304-0506-0708-090a-0b0c0d0e0f10';
    const seedBytes = Uint8Array.from({ length: 16 }, (_unused, index) => index + 1);
    const words = [0, 4, 8, 12].map((offset) => new DataView(seedBytes.buffer).getUint32(offset, true));
    const cases = [
      { option: 'legacy', version: HASH_VERSION.legacy, unsigned: false },
      { option: 'half_md4', version: HASH_VERSION.halfMd4, unsigned: false },
      { option: 'tea', version: HASH_VERSION.tea, unsigned: false },
      { option: '3', version: HASH_VERSION.legacy, unsigned: true },
      { option: '4', version: HASH_VERSION.halfMd4, unsigned: true },
      { option: '5', version: HASH_VERSION.tea, unsigned: true },
    ].flatMap(({ option, version, unsigned }) =>
      names.flatMap((name) => [true, false].map((seeded) => ({ option, version, unsigned, name, seeded }))),
    );
    const commands = cases.map(
      ({ option, name, seeded }) => `dx_hash -h ${option} ${seeded ? `-s ${seed} ` : ''}${name}`,
    );
    const { output } = run('debugfs', ['-f', '-', image], `${commands.join('\n')}\n`);
    const shown = [...output.matchAll(/Hash of .* is 0x([0-9a-f]+)/g)].map((match) =>
      Number(`0x${match[1]}`),
    );
    expect(shown).toHaveLength(cases.length);
    for (const [index, { version, unsigned, name, seeded }] of cases.entries()) {
      const parameters = { seed: seeded ? words : [0, 0, 0, 0], unsigned };
      const hash = hashOfName(version, parameters, new TextEncoder().encode(name));
      expect(hash, commands[index]).toBe(shown[index]);
    }
  });
});
