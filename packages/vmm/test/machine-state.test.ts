/** Machines that are saved and go on, on the engine v86, with guests of a few bytes. */
import { expect, test } from 'vitest';
import { rejected } from '@ginit/core/block';
import { RamDisk } from '../../block/src/ram_block/ram-disk.ts';
import type { RamFileSystem } from '../../os/src/lib/ram-file-system.ts';
import { MachineSystem, someFiles } from './machine-system.ts';
import { Program } from './tiny-guest.ts';

const CONFIG = '<kernel rom="linux"/> <serial/> <control/> <disk label="root" writeable="yes"/>';
const STATE = (restore: string): string => `<state file="/saved" restore="${restore}"/>`;

function someDisk(): RamDisk {
  return new RamDisk(new Uint8Array(64 * 512), 512);
}

/** The content of the file with the state. */
async function stateIn(files: RamFileSystem): Promise<Uint8Array | undefined> {
  const node = await files.lookup(files.root, 'saved').catch(() => undefined);
  if (node?.type !== 'file') return undefined;
  const bytes = new Uint8Array(files.status(node).sizeBytes);
  await files.read(node, 0, bytes);
  return bytes;
}

/** Has a file be these bytes. */
async function putFile(files: RamFileSystem, name: string, bytes: Uint8Array): Promise<void> {
  const there = await files.lookup(files.root, name).catch(() => undefined);
  const node = there ?? (await files.createFile(files.root, name));
  await files.truncate(node, 0);
  for (let at = 0; at < bytes.byteLength; at += await files.write(node, at, bytes.subarray(at)));
}

test('a machine is saved when its component is stopped, and goes on from there once', async () => {
  const { files } = await someFiles();
  const roms = { linux: new Program().print('up').echoUntil('.').halt().kernel() };
  const surroundings = { roms, files, disks: { root: someDisk() }, attributes: 'on_stop="save"' };
  const first = new MachineSystem(CONFIG + STATE('auto'), surroundings);
  await first.until('up');
  first.type('a');
  await first.until('upa');
  const { lines } = await first.stop();
  expect(lines.join('\n')).toMatch(/the machine was saved in "\/saved": \d+ MiB/);
  expect(await stateIn(files)).toBeDefined();
  const second = new MachineSystem(CONFIG + STATE('auto'), surroundings);
  await second.untilState(/^runs: /);
  // It would begin a second time if the component had to be started again.
  expect(await stateIn(files)).toBeUndefined();
  second.type('b.');
  const { lines: log } = await second.ended();
  expect(second.output).toBe('b.');
  expect(log.join('\n')).toContain('the guest goes on from the state "/saved"');
});

test('a machine goes back to where it was saved, unless the state is of no use any more', async () => {
  const { files, room } = await someFiles();
  const root = someDisk();
  const program = new Program().print('up').echoUntil('.').print('!').echoUntil('.').halt();
  const surroundings = { roms: { linux: program.kernel() }, files, disks: { root } };
  const system = new MachineSystem(CONFIG + STATE('no'), surroundings);
  await system.until('up');
  expect(await system.ask('restore')).toBe('the state "/saved" cannot be used: Lookup_failed');
  room.bytes = 256 * 1024;
  expect(await system.ask('save')).toMatch(/^the state "\/saved" cannot be written: /);
  expect([await stateIn(files), system.state?.state]).toEqual([undefined, 'runs']);
  room.bytes = 2 ** 30;
  expect(await system.ask('save')).toBeUndefined();
  expect(system.state).toMatchObject({
    state: 'paused',
    about: expect.stringMatching(/; it was saved in "\/saved"$/),
  });
  await system.ask('resume');
  system.type('1.');
  await system.until('up1.!');

  const state = (await stateIn(files)) ?? new Uint8Array(0);
  const damaged = state.slice();
  damaged[damaged.byteLength >> 1] = (damaged[damaged.byteLength >> 1] ?? 0) ^ 1;
  for (const [bytes, reason] of [
    [damaged, /^the state "\/saved" cannot be used: it is damaged before byte \d+$/],
    [state.subarray(0, -1), /it is cut off$/],
    [new TextEncoder().encode('a text that somebody has put there\n'), /it is no state of a machine$/],
  ] as const) {
    await putFile(files, 'saved', bytes);
    expect(await system.ask('restore')).toMatch(reason);
  }
  await putFile(files, 'saved', state);
  void root.write(3, 1, new Uint8Array(512).fill(1));
  expect(await system.ask('restore')).toMatch(
    /the disk "root" was written since: its fingerprint was [0-9a-f]{8}, and is [0-9a-f]{8} now$/,
  );
  expect(system.state?.state).toBe('runs');
  void root.write(3, 1, new Uint8Array(512));
  expect(await system.ask('restore')).toBeUndefined();
  system.type('2.');
  await system.until('up1.!2.!');
  system.type('.');
  await system.ended();

  const other = new MachineSystem(CONFIG + STATE('yes'), { ...surroundings, ram: '24M' });
  expect(await other.crash()).toMatch(
    /config\.xml:\d+:\d+: the state "\/saved" cannot be used: it is of another machine: memory was \d+ MiB \(\d+ bytes\) there, and is \d+ MiB \(\d+ bytes\) here/,
  );
});

test('a machine is not saved with a write that its IDE disk holds', async () => {
  const disk = someDisk();
  const filling = {
    info: disk.info,
    read: (...request: Parameters<RamDisk['read']>) => disk.read(...request),
    write: () => rejected('NoSpace'),
    sync: () => {},
    trim: () => {},
    writeZeroes: () => {},
  };
  const roms = { linux: new Program().print('up').writeIdeSector().print('written').halt().kernel() };
  const config = CONFIG.replace('<disk ', '<disk model="ide" ') + STATE('no');
  const system = new MachineSystem(config, {
    roms,
    files: (await someFiles()).files,
    disks: { root: filling },
  });
  await system.untilState(/^paused: /);
  expect(await system.ask('save')).toBe('the IDE disk "root" has a request that it has not answered');
  expect(await system.ask('media', 'cdrom')).toBe('its config has no <cdrom>');
  await system.stop();
});

/** A BIOS that prints a letter, and begins again when something is typed. */
function letterBios(): Uint8Array<ArrayBuffer> {
  const bios = new Uint8Array(0x1_0000);
  // mov dx, port; mov al, 'B'; out dx,al; then wait for a byte, and jump to the reset.
  const code = [0xba, 0xf8, 0x03, 0xb0, 0x42, 0xee, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb];
  bios.set([...code, 0xba, 0xf8, 0x03, 0xec, 0xea, 0xf0, 0xff, 0x00, 0xf0], 0xe000);
  // The processor begins here: jmp f000:e000.
  bios.set([0xea, 0x00, 0xe0, 0x00, 0xf0], 0xfff0);
  return bios;
}

test('a machine with a BIOS starts from that, also after a reset, and has other media put into its drives', async () => {
  const { files } = await someFiles();
  await putFile(files, 'other.iso', new Uint8Array(4096).fill(1));
  await putFile(files, 'large.img', new Uint8Array(3 * 1024 * 1024));
  const roms = { bios: letterBios(), cd: new Uint8Array(2048) };
  const config = `<bios rom="bios"/> <cdrom rom="cd"/> <floppy/> <serial/> <control/> ${STATE('no')}`;
  const system = new MachineSystem(config, { roms, files, disks: {} });
  await system.until('B');
  system.type('x');
  await system.until('BB');
  expect(await system.ask('media', 'cdrom', '/none.iso')).toBe('"/none.iso" cannot be read: Lookup_failed');
  expect(await system.ask('media', 'tape')).toBe('there is no drive "tape"');
  expect(await system.ask('media', 'floppy', '/large.img')).toBe(
    'a floppy disk has 2880 KiB at most, less than "/large.img"',
  );
  expect(await system.ask('media', 'cdrom', '/other.iso')).toBeUndefined();
  await system.ask('save');
  expect(await system.ask('media', 'cdrom')).toBeUndefined();
  await system.ask('resume');
  expect(await system.ask('reset')).toBeUndefined();
  await system.until('BBB');
  await system.stop();
});
