/** Tests configs that reach a component by a route of the ROM "config", from another component. */
import { component, Rom, RomModule } from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { laboratory } from '../harness/laboratory.ts';

describe('a config that another component serves', () => {
  test('reaches a child without a <config>, with all of its versions; without a server it is empty', async () => {
    const module = new RomModule(new TextEncoder().encode('<config tag="served"/>'));
    const library = component({ provides: [Rom] }, (env) => env.provide(Rom, () => module.open()));
    const seen: string[] = [];
    const reader = component({}, (env) => {
      seen.push(env.config.node.value('tag') ?? 'empty');
      env.config.onUpdate((node) => void seen.push(node.value('tag') ?? 'empty'));
    });
    await laboratory({ library, reader }, async ({ apply, shows, until }) => {
      const lib =
        '<start name="lib"> <binary name="library"/> <provides> <service name="ROM"/> </provides> </start>';
      const from =
        '<route> <service name="ROM" label="config"> <child name="lib"/> </service> <any-service> <parent/> </any-service> </route>';
      const readerOf = (inner: string) => `<start name="r"> <binary name="reader"/> ${inner} </start>`;
      await apply(lib + readerOf(from));
      await until(() => seen.length === 1);
      module.replace(new TextEncoder().encode('<config tag="second"/>'));
      await until(() => seen.length === 2);
      expect(seen).toEqual(['served', 'second']);
      await apply(lib + readerOf(`${from} <config tag="own"/>`));
      await until(() => seen.length === 3);
      await shows('lib#1 running, r#3 running');
      await apply(lib + readerOf('<route> <any-service> <parent/> </any-service> </route>'));
      await until(() => seen.length === 4);
      expect(seen).toEqual(['served', 'second', 'own', 'empty']);
    });
  });
});

test('init itself takes each version of a config that another component serves; a broken one is told and changes nothing', async () => {
  const module = new RomModule(new TextEncoder().encode(''));
  const library = component({ provides: [Rom] }, (env) => env.provide(Rom, () => module.open()));
  const seen: string[] = [];
  const noter = component({}, (env) => {
    const note = (): void => void seen.push(env.config.node.value('tag') ?? '');
    note();
    env.config.onUpdate(note);
    env.onStop(() => void seen.push(`end of ${env.config.node.value('tag')}`));
  });
  const inner = (starts: string): void => {
    const around = `<parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/> </parent-provides>
      <default-route> <any-service> <parent/> </any-service> </default-route> <default caps="100" ram="4M"/>`;
    module.replace(new TextEncoder().encode(`<config>${around}${starts}</config>`));
  };
  const node = (name: string, tag: string): string =>
    `<start name="${name}"> <binary name="noter"/> <config tag="${tag}"/> </start>`;
  await laboratory({ library, noter }, async ({ apply, shows, until, lines, conserved }) => {
    await apply(`<start name="lib"> <binary name="library"/> <provides> <service name="ROM"/> </provides> </start>
      <start name="sub" ram="40M" caps="800"> <binary name="init"/> <route>
        <service name="ROM" label="config"> <child name="lib"/> </service> <any-service> <parent/> </any-service>
      </route> </start>`);
    await shows('lib#1 running, sub#2 running');
    inner(node('a', '1'));
    await until(() => seen.includes('1'));
    inner(node('a', '2') + node('b', '3'));
    await until(() => seen.length === 3);
    inner(node('a', '4').replace('tag', '<'));
    await until(() => lines('Error: config:').length === 1);
    inner(node('a', '4').replace('<binary', '<binray'));
    await until(() => lines('this config is not applied').length === 1);
    expect(lines('unknown element <binray>').length).toBeGreaterThan(0);
    inner(node('b', '3'));
    await until(() => seen.length === 4);
    expect(seen).toEqual(['1', '2', '3', 'end of 2']);
    await shows('lib#1 running, sub#2 running');
    await conserved();
  });
});
