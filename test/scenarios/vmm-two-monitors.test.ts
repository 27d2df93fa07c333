/** `examples/two-monitors.xml` as it stands: a machine on each engine, which people talk to. */
import { expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { GINIT, GinitRun, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { mustRun } from '../harness/programs.ts';
import { fetchGuest, lacksQemu } from '../harness/qemu-system.ts';
import { BOOT_MS } from '../harness/serial-person.ts';

const EXAMPLE = new URL('../../examples/two-monitors.xml', import.meta.url);
const GUESTS = ['debian-i686', 'debian-amd64'];

test.skipIf(lacksQemu !== undefined)(
  `two monitors run side by side, and each is talked to (${lacksQemu ?? 'QEMU is installed'})`,
  async (context) => {
    skipIfLong(context);
    using place = new Workplace();
    process.env['GINIT_RUNTIME_DIR'] = place.path('s');
    try {
      for (const guest of GUESTS) {
        const problem = await fetchGuest(guest);
        if (problem !== undefined) context.skip(`a guest is not to be had: ${problem}`);
        await mustRun(process.execPath, [GINIT, 'guests', 'fetch', guest, '--into', place.path('guests')]);
      }
      place.write('config.xml', readFileSync(EXAMPLE));
      const system = new GinitRun(['config.xml'], place.directory, GINIT, '', 2 * BOOT_MS);
      await system.until('v86 0.');
      await system.until('QEMU ');
      const small = new Console(place, 'small');
      const large = new Console(place, 'large');
      await Promise.all([small.until(/~ # /), large.until(/~ # /)]);
      const ask = 'uname -m; grep -c ^processor /proc/cpuinfo; blockdev --getsize64 /dev/vda';
      await small.run(ask, /^i686\r\n1\r\n33554432\r$/m);
      await large.run(ask, /^x86_64\r\n2\r\n33554432\r$/m);
      const list = (await place.run('vm', 'list')).stdout;
      expect(list).toMatch(/^init -> small +runs .* v86 /m);
      expect(list).toMatch(/^init -> large +runs .* QEMU .*2 processors/m);
      for (const console of [small, large]) console.end();
      // Each listens to its power button.
      system.child.kill('SIGTERM');
      const { code, stdout } = await system.finished;
      expect(code).toBe(0);
      expect(stdout.match(/the guest has stopped its processor/g)).toHaveLength(2);
      expect(await system.leftOver()).toEqual([]);
    } finally {
      delete process.env['GINIT_RUNTIME_DIR'];
    }
  },
  4 * BOOT_MS,
);

/** `ginit console LABEL`, which somebody types into. */
class Console {
  readonly #typed: string;
  readonly #run: GinitRun;

  constructor(place: Workplace, label: string) {
    this.#typed = place.path(`${label}.typed`);
    const script = 'mkfifo "$0" && exec 3<> "$0" && exec "$@" <&3';
    const command = [process.execPath, GINIT, 'console', label];
    const words = ['/bin/sh', '-c', script, this.#typed, ...command];
    this.#run = new GinitRun([], place.directory, GINIT, '', 2 * BOOT_MS, words);
  }

  async until(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.#run.stdout, { timeout: BOOT_MS, interval: 100 }).toMatch(pattern);
  }

  async run(command: string, answer: RegExp): Promise<void> {
    await mustRun('/bin/sh', ['-c', 'printf "%s\\n" "$0" > "$1"', command, this.#typed]);
    await this.until(answer);
  }

  end(): void {
    this.#run.killGroup();
  }
}
