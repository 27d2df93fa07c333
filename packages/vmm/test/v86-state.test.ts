/** The state of v86: a machine goes on in another engine from where it was saved. */
import { expect, test } from 'vitest';
import type { EmbeddedEngine } from '../src/engine/engine.ts';
import { startV86, V86_MEMORY } from '../src/engine/v86/v86-engine.ts';
import { bootImage } from '../src/linux/boot-image.ts';
import { readElf, readKernelFile } from '../src/linux/kernel-file.ts';
import { StateReader, StateWriter } from '../src/state/state-file.ts';
import { MemoryFile } from './memory-file.ts';
import { Program } from './tiny-guest.ts';

/** An engine whose serial line is a text. */
class Line {
  text = '';
  readonly #waiting: (() => void)[] = [];
  engine: EmbeddedEngine | undefined;

  async start(): Promise<EmbeddedEngine> {
    this.engine = await startV86(
      { memoryBytes: V86_MEMORY.least, ideDisks: [], media: {}, firmware: undefined },
      {
        serialOutput: (byte) => (this.text += String.fromCharCode(byte)),
        turn: () => {},
        halted: () => this.#waiting.splice(0).forEach((go) => go()),
        reset: () => {},
        failed: () => {},
      },
    );
    return this.engine;
  }

  halted(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  until(text: string): Promise<void> {
    return expect.poll(() => this.text, { timeout: 20_000 }).toContain(text);
  }
}

function imageOf(program: Program) {
  const elf = program.kernel();
  const kernel = { file: readKernelFile(elf), kernel: readElf(elf) };
  return bootImage({ ...kernel, initrd: undefined, commandLine: '', memoryBytes: V86_MEMORY.least });
}

test('a machine goes on in another engine, with what it had not read of its serial line', async () => {
  const [before, after] = [new Line(), new Line()];
  const first = await before.start();
  // It counts in memory, so that a memory that is not restored is seen.
  first.boot(imageOf(new Program().print('up').echoUntil('.').print('!').halt()));
  first.run();
  await before.until('up');
  first.serialInput(new TextEncoder().encode('abc'));
  await before.until('upabc');
  first.pause();
  await new Promise((resolve) => setTimeout(resolve, 20));
  first.serialInput(new TextEncoder().encode('de'));
  const file = new MemoryFile();
  const writer = new StateWriter(file);
  await writer.begin();
  await first.save(writer);
  await writer.end();
  first.close();

  const second = await after.start();
  const reader = new StateReader(file);
  await reader.begin();
  await second.restore(reader);
  await reader.end();
  second.run();
  await after.until('de');
  const halted = after.halted();
  second.serialInput(new TextEncoder().encode('f.'));
  await halted;
  second.close();
  expect(after.text).toBe('def.!');
  expect(before.text).toBe('upabc');
  // Only memory that has something in it is part of the state.
  expect(file.bytes.byteLength).toBeLessThan(4 * 1024 * 1024);
});
