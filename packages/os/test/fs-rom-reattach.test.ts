/** fs_rom stays when its file system is started again, if its start node says `reattach="yes"`. */
import { component, Rom, RomClient } from '@ginit/core';
import { expect, test } from 'vitest';
import { laboratory } from '../../../test/harness/laboratory.ts';
import fsRom from '../src/fs_rom/main.ts';
import ramFs from '../src/ram_fs/main.ts';

/** Says every content of the module "motd" that it is woken for. */
function makeReader(seen: string[]) {
  return component({}, async (env) => {
    const rom = new RomClient(await env.connect(Rom, { label: 'motd' }));
    const read = async (): Promise<void> => {
      const content = await rom.content();
      seen.push(content ? new TextDecoder().decode(content) : 'nothing');
    };
    await rom.onChange(env.signal(read));
    await read();
  });
}

const files = (version: number, attributes: string) =>
  `<start name="files" version="${version}" ram="8M" ${attributes}> <binary name="ram_fs"/>
    <provides> <service name="File_system"/> </provides>
    <config> <content> <inline name="motd">${version}</inline> </content> <default-policy root="/"/> </config> </start>`;
const REST = `<start name="roms" ram="8M" reattach="yes"> <binary name="fs_rom"/>
    <provides> <service name="ROM"/> </provides> </start>
  <start name="reader"> <route> <service name="ROM" label="motd"> <child name="roms"/> </service>
    <any-service> <parent/> </any-service> </route> </start>`;

test.each([
  ['restarted', ''],
  ['replaced', 'replace="ready"'],
])(
  'a file system that is %s: modules get what the new one has, and their readers stay',
  async (_, attributes) => {
    const seen: string[] = [];
    const components = { ram_fs: ramFs, fs_rom: fsRom, reader: makeReader(seen) };
    await laboratory(components, async ({ apply, conserved, shows, until }) => {
      await apply(files(1, attributes) + REST);
      await until(() => seen.at(-1) === '1');
      await apply(files(2, attributes) + REST);
      await until(() => seen.at(-1) === '2');
      await shows('files#4 running, roms#2 running, reader#3 running');
      expect(seen).not.toContain('nothing');
      await conserved();
    });
  },
);
