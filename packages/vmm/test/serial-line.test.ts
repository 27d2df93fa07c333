/** The serial line between a guest and its terminal. */
import { expect, test } from 'vitest';
import { SerialLine } from '../src/machine/serial-line.ts';

test('what is typed reaches the guest once and in order, though every byte makes a turn', async () => {
  const typed = [new TextEncoder().encode('a line longer than the guest takes at a time'), new Uint8Array(0)];
  const terminal = {
    read: () => {
      const next = typed.shift();
      return next && next.byteLength > 0 ? Promise.resolve(next) : new Promise<Uint8Array>(() => {});
    },
    write: () => Promise.resolve(),
  };
  const line = new SerialLine(terminal, { hold: () => {}, lost: () => {} });
  let [seen, queued] = ['', ''];
  const engine = {
    get serialRoom() {
      return 16 - queued.length;
    },
    serialInput: (bytes: Uint8Array) => {
      for (const byte of bytes) {
        queued += String.fromCharCode(byte);
        line.turn(engine);
      }
    },
  };
  void line.readAll(() => line.turn(engine));
  for (let turns = 0; turns < 20; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    seen += queued;
    queued = '';
    line.turn(engine);
  }
  expect(seen + queued).toBe('a line longer than the guest takes at a time');
});
