/** Screen, keyboard and mouse of QEMU, without a QEMU. */
import { keyCode, type InputEvent } from '@ginit/core/input';
import { expect, test } from 'vitest';
import { QemuDisplay } from '../src/engine/qemu/display/qemu-display.ts';
import { connectionPair } from './fake-qemu.ts';

/** An update with one rectangle. */
const TYPE_AND_COUNT = [0, 0, 0, 1];

/** A display whose screen has a dot, and what QEMU was told of keys and movements. */
async function display() {
  const sent: unknown[] = [];
  const answers: (() => void)[] = [];
  const lost: unknown[] = [];
  const one = new QemuDisplay({ width: 4, height: 4 }, (error) => lost.push(error));
  const [near, far] = connectionPair();
  const greeting = [...new TextEncoder().encode('RFB 003.008\n'), 1, 1, 0, 0, 0, 0, 0, 2, 0, 1];
  void far.write(Uint8Array.from([...greeting, ...Array.from({ length: 20 }, () => 0)]));
  await one.attach(near, (events) => {
    sent.push(...events);
    return new Promise<void>((resolve) => answers.push(resolve));
  });
  const say = (...bytes: readonly number[]): void => void far.write(Uint8Array.from(bytes));
  return { display: one, sent, answers, lost, say };
}

const key = (down: boolean, data: number): object => ({
  type: 'key',
  data: { down, key: { type: 'number', data } },
});
const press = (name: string): InputEvent => ({ kind: 'press', code: keyCode(name) });

test('keys, buttons, movements and steps of the wheel are those of QMP', async () => {
  const { display: one, sent } = await display();
  for (const name of ['a', 'up', 'pause']) one.input(press(name));
  one.input({ kind: 'release', code: keyCode('up') });
  // No keyboard of a PC has that one.
  one.input({ kind: 'press', code: 700 });
  one.input(press('btn_right'));
  one.input({ kind: 'motion', x: -3, y: 0 });
  one.input({ kind: 'position', x: 100, y: 50 });
  one.input({ kind: 'position', x: 101, y: 48 });
  one.input({ kind: 'wheel', x: 0, y: -1 });
  const rel = (axis: string, value: number): object => ({ type: 'rel', data: { axis, value } });
  const button = (down: boolean, name: string): object => ({ type: 'btn', data: { down, button: name } });
  expect(sent).toEqual([
    key(true, 30),
    key(true, 0xc8),
    key(true, 0xc6),
    key(false, 0xc8),
    button(true, 'right'),
    rel('x', -3),
    rel('x', 1),
    rel('y', -2),
    button(true, 'wheel-down'),
    button(false, 'wheel-down'),
  ]);
});

test('a QEMU that does not answer is told no more than so much, of releases a little more', async () => {
  const { display: one, sent, answers } = await display();
  for (let count = 0; count < 1000; count++) one.input(press('a'));
  expect(sent).toHaveLength(64);
  for (let count = 0; count < 1000; count++) one.input({ kind: 'release', code: keyCode('a') });
  expect(sent).toHaveLength(128);
  for (const answer of answers.splice(0)) answer();
  await new Promise((resolve) => setImmediate(resolve));
  one.input(press('a'));
  expect(sent).toHaveLength(129);
});

test('a picture that is too large is black, and the next one is shown', async () => {
  const { display: one, say, lost } = await display();
  const rectangle = (width: number, height: number, ...encoding: readonly number[]): number[] => [
    ...TYPE_AND_COUNT,
    ...[0, 0, 0, 0, 0, width, 0, height].concat(encoding),
  ];
  say(...rectangle(2, 1, 0, 0, 0, 0), 1, 0, 0, 0, 2, 0, 0, 0);
  await expect.poll(() => one.update()).toEqual({ x: 0, y: 0, width: 2, height: 1 });
  expect([...one.picture.pixels]).toEqual([1, 2]);
  say(...rectangle(9, 9, 255, 255, 255, 33));
  await expect.poll(() => [...one.picture.pixels]).toEqual([0, 0]);
  await one.refresh();
  say(...rectangle(1, 1, 255, 255, 255, 33), ...rectangle(1, 1, 0, 0, 0, 0), 5, 0, 0, 0);
  await expect.poll(() => [one.picture.width, ...one.picture.pixels]).toEqual([1, 5]);
  await one.detach();
  await new Promise((resolve) => setImmediate(resolve));
  expect(lost).toEqual([]);
});
