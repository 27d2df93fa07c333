/**
 * Screen, keyboard and drives of the engine QEMU. A guest of a few bytes shows text and graphics
 * and hears keys; GRUB, unmodified, reads what is put into its drives, and is saved with it.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { fontOfBios, textOn } from '../../packages/vmm/test/screen-text.ts';
import { bootSector, multibootKernel, Program } from '../../packages/vmm/test/tiny-guest.ts';
import { GINIT, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { type ReadPicture, readPng } from '../harness/png.ts';
import { mustRun, runProgram } from '../harness/programs.ts';
import { FETCH_MS, lacksQemu, QEMU } from '../harness/qemu-system.ts';
import { fileDisk } from '../harness/v86-system.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';

const TEXT_AT = 0xb8000;
const GRUB_KEEPS_MS = 2500;
const FLOPPY_BYTES = 1440 * 1024;
const BLOCK_ROUTE = '<service name="Block"> <child name="floppy"/> </service>';
const YELLOW_ON_BLUE = 0x1e;
const GRAPHICS_AT = 0xa0000;
/** As QEMU makes them of the six bits of a VGA. */
const YELLOW = 0xffff57;
const BLUE = 0x0000a8;

/** A machine whose files are ROM modules of their last names. */
function systemWith(
  roms: readonly string[],
  machine: string,
  starts = '',
  routes = '',
  isolation = 'process',
): string {
  const all = (form: (name: string, path: string) => string): string =>
    roms.map((path) => form(basename(path), path)).join(' ');
  return systemConfig(`
    <start name="roms" ram="32M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
      <host> ${all((_, path) => `<file path="${path}"/>`)} </host>
      <config interval_ms="60000"> ${all((name, path) => `<rom name="${name}" file="${path}"/>`)} </config>
    </start>
    <start name="terminal" ram="8M"> <binary name="socket_terminal"/> <provides> <service name="Terminal"/> </provides>
      <host> <unix listen="serial.sock"/> </host>
      <config> <policy label_prefix="vmm" listen="unix:serial.sock"/> </config>
    </start>
    ${starts}
    <start name="vmm" ram="150M" isolation="${isolation}"> <exit propagate="yes"/>
      <host> <program path="${QEMU}"/> </host>
      <config engine="qemu"> ${machine} <display framebuffer="no" input="no"/> <control/> </config>
      <route>
        ${all((name) => `<service name="ROM" label="${name}"> <child name="roms"/> </service>`)}
        <service name="Terminal"> <child name="terminal"/> </service>
        ${routes}
        <any-service> <parent/> </any-service>
      </route>
    </start>`).replace('<service name="Timer"/>', '$& <service name="Machine"/>');
}

/** Acts on the machine of a workplace. */
class Operator {
  readonly #place: Workplace;

  constructor(place: Workplace) {
    this.#place = place;
  }

  async vm(...words: readonly string[]): Promise<void> {
    const [action = '', ...more] = words;
    expect(await this.#place.run('vm', action, 'vmm', ...more)).toMatchObject({ code: 0, stderr: '' });
  }

  async picture(): Promise<ReadPicture> {
    await this.vm('screen', this.#place.path('screen.png'));
    return readPng(readFileSync(this.#place.path('screen.png')));
  }

  async until(see: (picture: ReadPicture) => unknown, wanted: unknown): Promise<void> {
    const look = async (): Promise<unknown> => see(await this.picture());
    await expect.poll(look, { timeout: BOOT_MS, interval: 300 }).toEqual(wanted);
  }
}

async function started(place: Workplace, config: string): Promise<GinitRun> {
  place.write('config.xml', config);
  const system = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
  await system.until('[init -> vmm] QEMU');
  return system;
}

/** Shows text, waits for a key, draws, and writes the codes of three more to its serial line. */
function tinyGuest(): Uint8Array {
  const program = new Program();
  for (const [index, character] of [...'Hello'].entries()) {
    const at = TEXT_AT + 2 * index;
    program.poke(at, character.charCodeAt(0) | (YELLOW_ON_BLUE << 8) | 0x0720_0000);
  }
  program.out(0x3d4, 1, 0x0a).out(0x3d5, 1, 0x20).print('text\n').readKeyboard();
  program.graphicsMode().colour(1, 63, 0, 0).colour(2, 0, 63, 0);
  program
    .fill(GRAPHICS_AT, 1, 320 * 100)
    .fill(GRAPHICS_AT + 320 * 100, 2, 320 * 100)
    .print('graphics\n');
  for (let key = 0; key < 5; key++) program.readKeyboard().writeSerial();
  return multibootKernel(program.print('\nend').halt());
}

describe.skipIf(lacksQemu !== undefined)(
  `a machine on QEMU with a screen (${lacksQemu ?? 'installed'})`,
  () => {
    test.each(['process', 'thread'])(
      'shows text and graphics, and hears its keyboard, in a %s',
      async (isolation) => {
        using place = new Workplace();
        process.env['GINIT_RUNTIME_DIR'] = place.path('s');
        try {
          place.write('guest', tinyGuest());
          const system = await started(
            place,
            systemWith(['guest'], '<multiboot rom="guest"/> <serial/>', '', '', isolation),
          );
          const [operator, person] = [new Operator(place), new SerialPerson(place.path('serial.sock'))];
          await person.until(/text/);
          const text = await operator.picture();
          expect([text.width, text.height]).toEqual([720, 400]);
          // The gap behind the H is of its background; what is beside the text is not.
          expect([text.at(8, 0), text.at(200, 200)]).toEqual([BLUE, 0]);
          const glyph = (column: number): number[] =>
            Array.from({ length: 128 }, (_, dot) => text.at(column * 9 + (dot % 8), dot >> 3));
          expect(glyph(2)).toEqual(glyph(3));
          expect(glyph(2)).not.toEqual(glyph(4));
          expect(new Set(glyph(0))).toEqual(new Set([BLUE, YELLOW]));

          await operator.vm('key', 'enter');
          await person.until(/graphics/);
          const size = ({ width, height }: ReadPicture): number[] => [width, height];
          await operator.until(size, [640, 400]);
          await operator.until((picture) => [picture.at(0, 0), picture.at(639, 399)], [0xff0000, 0x00ff00]);
          await operator.vm('key', 'up', 'x');
          await person.until(/end/);
          system.child.kill('SIGTERM');
          expect((await system.finished).code).toBe(0);
          expect(await system.leftOver()).toEqual([]);
        } finally {
          delete process.env['GINIT_RUNTIME_DIR'];
        }
      },
      BOOT_MS,
    );

    test(
      'has what its guest writes to its floppy disk on the disk behind that',
      async () => {
        using place = new Workplace();
        process.env['GINIT_RUNTIME_DIR'] = place.path('s');
        try {
          const disk = new Uint8Array(FLOPPY_BYTES);
          disk.set(bootSector());
          place.write('floppy.img', disk);
          const system = await started(
            place,
            systemWith(
              [],
              '<floppy label="floppy" writeable="yes"/> <serial/>',
              fileDisk('floppy'),
              BLOCK_ROUTE,
            ),
          );
          const person = new SerialPerson(place.path('serial.sock'));
          await person.until(/^[WF]/);
          expect(person.seen).toBe('W');
          expect(readFileSync(place.path('floppy.img')).subarray(512, 1024)).toEqual(
            Buffer.from(bootSector()),
          );
          system.child.kill('SIGTERM');
          expect((await system.finished).code).toBe(0);
          expect(await system.leftOver()).toEqual([]);
        } finally {
          delete process.env['GINIT_RUNTIME_DIR'];
        }
      },
      BOOT_MS,
    );

    test(
      'has GRUB read what is put into its drives, and goes on from a state with it',
      async (context) => {
        skipIfLong(context);
        using place = new Workplace();
        process.env['GINIT_RUNTIME_DIR'] = place.path('s');
        try {
          const fetch = ['guests', 'fetch', 'grub-rescue', '--into', place.directory];
          const fetched = await runProgram(process.execPath, [GINIT, ...fetch], { timeoutMs: FETCH_MS });
          if (fetched.status !== 0) context.skip(`the guest is not to be had: ${fetched.text}`);
          // The files of the machine: two floppy disks, and room for its state.
          place.write('files/about', 'the files of a machine\n');
          for (const [name, content] of [
            ['one', 'the first disc\n'],
            ['two', 'the second disc\n'],
          ] as const) {
            place.write(`${name}/${name}`, content);
            await mustRun('mke2fs', [
              '-q',
              '-t',
              'ext2',
              '-d',
              place.path(name),
              place.path(`files/${name}.img`),
              '1440K',
            ]);
          }
          await mustRun('mke2fs', [
            '-q',
            '-t',
            'ext2',
            '-d',
            place.path('files'),
            place.path('files.img'),
            '200M',
          ]);
          const roms = ['grub-rescue/bios.bin', 'grub-rescue/vgabios.bin', 'grub-rescue/cdrom.iso'];
          const font = fontOfBios(readFileSync(place.path('grub-rescue/vgabios.bin')));
          const system = await started(
            place,
            systemWith(
              roms,
              `<bios rom="bios.bin"/> <vgabios rom="vgabios.bin"/> <floppy/> <cdrom rom="cdrom.iso"/> <state file="/state" label="files"/>`,
              `<start name="files" ram="8M"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
              <host> <file path="files.img" access="rw"/> </host> <config file="files.img" block_size="512" writeable="yes"/> </start>
            <start name="fs" ram="16M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
              <config> <default-policy writeable="yes"/> </config>
              <route> <service name="Block"> <child name="files"/> </service> <any-service> <parent/> </any-service> </route> </start>`,
              '<service name="File_system"> <child name="fs"/> </service>',
            ),
          );
          const operator = new Operator(place);
          const lines = (picture: ReadPicture): string[] => textOn(picture, font);
          const sees = async (line: string): Promise<void> =>
            operator.until((picture) => lines(picture).some((one) => one.includes(line)), true);
          const command = async (text: string): Promise<void> => {
            await operator.vm('type', text);
            await operator.vm('key', 'enter');
          };
          const change = async (drive: string, file: string): Promise<void> => {
            await operator.vm('media', drive, file);
            // GRUB keeps for two seconds what it has read.
            await sleep(GRUB_KEEPS_MS);
          };
          await sees('GNU GRUB');
          await operator.vm('key', 'c');
          await sees('grub>');
          // Its modules are on the disc that is going to be taken out.
          await command('insmod cat; insmod clear; insmod gfxterm; insmod vbe; insmod ext2');
          await command('clear; cat (fd0)/one');
          await sees('error');
          await change('floppy', '/one.img');
          await command('clear; cat (fd0)/one');
          await sees('the first disc');
          await operator.vm('save');
          await operator.vm('resume');
          await change('floppy', '/two.img');
          await command('clear; cat (fd0)/two');
          await sees('the second disc');
          await operator.vm('media', 'floppy', 'eject');
          await operator.vm('restore');
          // The disc that was in it is there again.
          await command('clear; cat (fd0)/one');
          await sees('the first disc');
          expect(lines(await operator.picture()).join('\n')).not.toContain('second');
          await command('set gfxmode=640x480; terminal_output gfxterm');
          await operator.until(({ width, height }) => [width, height], [640, 480]);
          system.child.kill('SIGTERM');
          expect((await system.finished).code).toBe(0);
          expect(await system.leftOver()).toEqual([]);
          await mustRun('e2fsck', ['-fn', place.path('files.img')]);
        } finally {
          delete process.env['GINIT_RUNTIME_DIR'];
        }
      },
      FETCH_MS + BOOT_MS,
    );
  },
);
