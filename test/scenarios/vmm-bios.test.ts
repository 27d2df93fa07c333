/**
 * Unmodified guests on the engine v86 that have only a screen, seen in its pixels: the menu of GRUB
 * in text, behind SeaBIOS, and a game in graphics, which a Multiboot kernel is.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { fontOfBios, textOn } from '../../packages/vmm/test/screen-text.ts';
import { GINIT, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { type ReadPicture, readPng } from '../harness/png.ts';
import { missingOf, runProgram } from '../harness/programs.ts';
import { BOOT_MS } from '../harness/serial-person.ts';

const FETCH_MS = 240_000;
/** The colours of a VGA, six bits each, as v86 shows them. */
const GREY = 0xa8a8a8;
const CYAN = 0x00a8a8;
const MAGENTA = 0xa800a8;
const lacks = missingOf('apt-get', 'dpkg-deb');

function systemWith(files: readonly string[], machine: string, isolation: string): string {
  const all = (form: (name: string, path: string) => string): string =>
    files.map((path) => form(basename(path), path)).join(' ');
  return systemConfig(`
    <start name="roms" ram="32M"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
      <host> ${all((_, path) => `<file path="${path}"/>`)} </host>
      <config interval_ms="60000"> ${all((name, path) => `<rom name="${name}" file="${path}"/>`)} </config>
    </start>
    <start name="vmm" ram="100M" isolation="${isolation}">
      <config engine="v86" on_stop="kill"> ${machine} <display framebuffer="no" input="no"/> <control/> </config>
      <route>
        ${all((name) => `<service name="ROM" label="${name}"> <child name="roms"/> </service>`)}
        <any-service> <parent/> </any-service>
      </route>
    </start>`).replace('<service name="Timer"/>', '$& <service name="Machine"/>');
}

/** Runs a guest, which `act` looks at. */
async function withGuest(
  context: TestContext,
  guest: string,
  config: string,
  act: (person: Person) => Promise<void>,
): Promise<void> {
  skipIfLong(context);
  using place = new Workplace();
  process.env['GINIT_RUNTIME_DIR'] = place.path('s');
  try {
    const fetch = ['guests', 'fetch', guest, '--into', place.directory];
    const fetched = await runProgram(process.execPath, [GINIT, ...fetch], { timeoutMs: FETCH_MS });
    if (fetched.status !== 0) context.skip(`the guest is not to be had: ${fetched.text}`);
    place.write('config.xml', config);
    const system = new GinitRun(['config.xml'], place.directory, GINIT, '', BOOT_MS);
    await system.until('1 processor');
    await act(new Person(place));
    system.child.kill('SIGTERM');
    expect((await system.finished).code).toBe(0);
    expect(await system.leftOver()).toEqual([]);
  } finally {
    delete process.env['GINIT_RUNTIME_DIR'];
  }
}

/** Somebody at the screen and the keyboard. */
class Person {
  readonly place: Workplace;

  constructor(place: Workplace) {
    this.place = place;
  }

  async vm(...words: readonly string[]): Promise<void> {
    const [action = '', ...more] = words;
    expect(await this.place.run('vm', action, 'vmm', ...more)).toMatchObject({ code: 0, stderr: '' });
  }

  async picture(): Promise<ReadPicture> {
    await this.vm('screen', this.place.path('screen.png'));
    return readPng(readFileSync(this.place.path('screen.png')));
  }

  async until(see: (picture: ReadPicture) => boolean): Promise<void> {
    const look = async (): Promise<boolean> => see(await this.picture());
    await expect.poll(look, { timeout: BOOT_MS, interval: 300 }).toBe(true);
  }
}

/** How many dots of a picture have this colour. */
function dotsOf(picture: ReadPicture, colour: number): number {
  let dots = 0;
  for (let y = 0; y < picture.height; y++)
    for (let x = 0; x < picture.width; x++) if (picture.at(x, y) === colour) dots++;
  return dots;
}

test.skipIf(lacks !== undefined)(
  `GRUB shows its menu on v86, and does what is typed (${lacks ?? 'with apt'})`,
  async (context) => {
    const roms = ['bios.bin', 'vgabios.bin', 'floppy.img'].map((name) => `grub-rescue/${name}`);
    const machine = '<bios rom="bios.bin"/> <vgabios rom="vgabios.bin"/> <floppy rom="floppy.img"/>';
    await withGuest(context, 'grub-rescue', systemWith(roms, machine, 'thread'), async (person) => {
      const font = fontOfBios(readFileSync(person.place.path('grub-rescue/vgabios.bin')));
      const sees = (text: string): Promise<void> =>
        person.until((picture) => textOn(picture, font).some((line) => line.includes(text)));
      await sees('GNU GRUB');
      await person.vm('key', 'c');
      await sees('grub>');
      await person.vm('type', 'echo "two ""words"');
      await person.vm('key', 'enter');
      await sees('two words');
      // In graphics, the same words are drawn by GRUB itself.
      await person.vm('type', 'insmod gfxterm; insmod vbe; set gfxmode=640x480; terminal_output gfxterm');
      await person.vm('key', 'enter');
      await person.until(({ width, height }) => width === 640 && height === 480);
      await person.vm('type', 'clear; echo');
      await person.vm('key', 'enter');
      await person.until((picture) => dotsOf(picture, GREY) > 0 && dotsOf(picture, 0) > 640 * 400);
    });
  },
  FETCH_MS + BOOT_MS,
);

test.skipIf(lacks !== undefined)(
  `a game that is a Multiboot kernel is played on v86 (${lacks ?? 'with apt'})`,
  async (context) => {
    const system = systemWith(['invaders/kernel'], '<multiboot rom="kernel"/>', 'process');
    await withGuest(context, 'invaders', system, async (person) => {
      const shows = (text: string, rows = 1): Promise<void> =>
        person.until((picture) => textOn(picture).filter((line) => line.includes(text)).length >= rows);
      // The invaders stand in rows, and the ship is at the bottom.
      await shows('-*-', 4);
      const picture = await person.picture();
      expect([picture.width, picture.height]).toEqual([720, 400]);
      expect(dotsOf(picture, CYAN)).toBeGreaterThan(100);
      expect(dotsOf(picture, MAGENTA)).toBeGreaterThan(10);
      await person.vm('key', 'p');
      await shows('PAUSE');
    });
  },
  FETCH_MS + BOOT_MS,
);
