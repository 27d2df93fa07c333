/** framebuffer_png over a file system in memory: pictures become files, and the config types. */
import { component, hasCode, type Main } from '@ginit/core';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import { Framebuffer, FramebufferClient } from '@ginit/core/framebuffer';
import { Input, InputClient, type InputEvent } from '@ginit/core/input';
import { expect, test } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import { readPng } from '../../../test/harness/png.ts';
import framebufferPng from '../src/framebuffer_png/main.ts';
import { encodePng } from '../src/lib/png.ts';
import ramFs from '../src/ram_fs/main.ts';

const PICTURE_BYTES = 100_000;
const ROUTES = `<route>
  <service name="File_system"> <child name="files"/> </service>
  <service name="Framebuffer"> <child name="screen"/> </service>
  <service name="Input"> <child name="screen"/> </service>
  <any-service> <parent/> </any-service> </route>`;

/** Runs `work` in a component that draws; its log lines. */
async function run(config: string, work: Main): Promise<readonly string[]> {
  const painter = component({ requires: [Framebuffer, Input, FileSystem] }, async (env) => {
    await work(env);
    env.exit(0);
  });
  const system = await runSystem(
    'shared',
    { ram_fs: ramFs, framebuffer_png: framebufferPng, painter },
    `<start name="files" ram="8M"> <binary name="ram_fs"/> <provides> <service name="File_system"/> </provides>
       <config> <default-policy writeable="yes"/> </config> </start>
     <start name="screen" ram="8M"> <binary name="framebuffer_png"/> ${ROUTES}
       <provides> <service name="Framebuffer"/> <service name="Input"/> </provides>
       <config> ${config} </config> </start>
     <start name="painter" ram="16M"> <exit propagate="yes"/> ${ROUTES} </start>`,
  );
  expect(system.end, system.complaints.join('\n')).toEqual({ kind: 'exit', code: 0 });
  return system.lines;
}

/** Settles when the file is there. */
async function awaited(files: FileSystemClient, path: string): Promise<Uint8Array> {
  for (;;) {
    try {
      return await files.readFile(path, PICTURE_BYTES);
    } catch (error) {
      if (!hasCode(error, 'Lookup_failed')) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('steps type and write pictures in their order; the last picture is written when the screen is closed', async () => {
  const config = `<policy label_prefix="painter" file="/last.png" interval="0"/>
    <step number="3" picture="/first.png" wait="1"/>
    <step number="1" type="Ab"/>
    <step number="2" x="7" y="9" click="left"/>`;
  const events: InputEvent[] = [];
  await run(config, async (env) => {
    const screen = await FramebufferClient.connect(env, { largest: { width: 3, height: 2 } });
    screen.pixels.set([0x30, 0x20, 0x10, 0xff], 4 * 5);
    await screen.refresh({ x: 2, y: 1, width: 1, height: 1 });
    const input = await InputClient.connect(env);
    const files = await FileSystemClient.connect(env);
    const first = readPng(await awaited(files, '/first.png'));
    expect([first.width, first.height, first.at(2, 1), first.at(1, 1)]).toEqual([3, 2, 0x102030, 0]);
    // All that was typed had been there before.
    events.push(...(await input.take()));
    await screen.request({ width: 2, height: 1 });
    screen.pixels.fill(0xff);
    await screen.refresh({ x: 0, y: 0, width: 2, height: 1 });
    await screen.close();
    const last = readPng(await files.readFile('/last.png', PICTURE_BYTES));
    expect([last.width, last.height, last.at(1, 0)]).toEqual([2, 1, 0xffffff]);
    const names: string[] = [];
    for await (const { name } of files.readdir('/')) names.push(name);
    expect(names.toSorted()).toEqual(['first.png', 'last.png']);
  });
  const press = (code: number): InputEvent => ({ kind: 'press', code });
  const release = (code: number): InputEvent => ({ kind: 'release', code });
  expect(events).toEqual([
    press(42),
    press(30),
    release(30),
    release(42),
    press(48),
    release(48),
    { kind: 'position', x: 7, y: 9 },
    press(0x110),
    release(0x110),
  ]);
});

test('a picture that changes is written at its interval, and what fails is told and stops nothing', async () => {
  const config = `<policy label_prefix="painter -> lost" file="/no/such/directory.png" interval="1"/>
    <policy label_prefix="painter" file="/shown.png" interval="5"/>
    <step number="1" type="€"/> <step number="2" key="nosuch"/>`;
  const lines = await run(config, async (env) => {
    const lost = await FramebufferClient.connect(env, { label: 'lost', largest: { width: 1, height: 1 } });
    await lost.refresh({ x: 0, y: 0, width: 1, height: 1 });
    await InputClient.connect(env);
    const screen = await FramebufferClient.connect(env, { label: 'shown', largest: { width: 1, height: 1 } });
    const files = await FileSystemClient.connect(env);
    for (const colour of [1, 2]) {
      screen.pixels.fill(colour);
      await screen.refresh({ x: 0, y: 0, width: 1, height: 1 });
      while (readPng(await awaited(files, '/shown.png')).at(0, 0) !== colour * 0x010101) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await lost.close();
  });
  const told = lines
    .filter((line) => line.includes('is not done'))
    .map((line) => line.replace(/^.*Warning: /, ''));
  expect(new Set(told)).toEqual(
    new Set([
      expect.stringContaining('"/no/such/directory.png" is not done'),
      'step 1 is not done: a US keyboard has no key for "€"',
      'step 2 is not done: there is no key "nosuch" (of "nosuch")',
    ]),
  );
});

test('a PNG file of any size can be read again', () => {
  for (const [width, height] of [
    [1, 1],
    [3, 2],
    [257, 31],
  ] as const) {
    const pixels = Uint8Array.from({ length: 4 * width * height }, (_, index) => (index * 37) & 0xff);
    const read = readPng(encodePng({ width, height, pixels }));
    expect([read.width, read.height]).toEqual([width, height]);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const [blue = 0, green = 0, red = 0] = pixels.subarray(4 * pixel);
      const expected = (red << 16) | (green << 8) | blue;
      expect(read.at(pixel % width, Math.floor(pixel / width))).toBe(expected);
    }
  }
});
