/**
 * Arguments are read while the message is being written, and reading one may run code: a getter
 * that calls somebody, that throws, or that ends the channel.
 */
import { describe, expect, test } from 'vitest';
import * as core from '../src/index.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import { code } from './channel-hostile-checks.ts';
import { pairOf, tables, thing } from './channel-pair.ts';
import { settled, Thing, type ThingCapability } from './channel-raw-peer.ts';
import type { CarrierKind } from './in-process-platform.ts';

const { capability, integer, rpc, rpcInterface, text } = core;

describe.each<CarrierKind>(['shared', 'copying'])(
  'arguments that call while they are written, %s',
  (kind) => {
    const Sums = rpcInterface('Sums', {
      add: rpc<(point: { x: number; words: string; y: number; thing: ThingCapability }) => number>({
        args: [core.record({ x: integer(), words: text(5000), y: integer(), thing: capability(Thing) })],
        result: integer(),
      }),
      echo: rpc<(words: string) => string>({ args: [text(5000)], result: text(5000) }),
      plain: rpc<(value: unknown) => unknown>(),
    });
    const implementation: core.Implementation<typeof Sums> = {
      add: async ({ x, words, y, thing: poked }) => {
        const sum = x + words.length + y + (await poked.poke());
        poked[Symbol.dispose]();
        return sum;
      },
      echo: (words) => words,
      plain: (value) => value,
    };

    test('a getter may call on the same channel and on another', async () => {
      const pair = pairOf(kind, Sums, implementation);
      const other = pairOf(kind, Sums, implementation);
      const here = capabilityFor(Sums, pair.ends[0].import(0));
      const there = capabilityFor(Sums, other.ends[0].import(0));
      const before = [...tables(pair), ...tables(other)];
      const inner: Promise<unknown>[] = [];
      const point = (deep: number): Parameters<typeof here.add>[0] => ({
        x: 1000,
        get words() {
          inner.push(here.echo('a'.repeat(3000)), there.echo('b'), there.plain([deep]), here.plain({ deep }));
          if (deep > 0)
            inner.push(here.add(point(deep - 1)), there.add({ ...point(0), thing: thing(other) }));
          return 'x'.repeat(20 + deep);
        },
        y: 10_000,
        thing: thing(pair),
      });
      expect(await here.add(point(2))).toBe(11_025);
      const answers = await Promise.all(inner);
      const counted = (value: unknown): number => answers.filter((answer) => answer === value).length;
      expect(counted('a'.repeat(3000))).toBe(answers.filter((answer) => answer === 'b').length);
      expect([counted(11_024), counted(11_023)].every((count) => count > 0)).toBe(true);
      await settled();
      expect([...tables(pair), ...tables(other)]).toEqual(before);
      expect([...pair.reports, ...other.reports]).toEqual([]);
    });

    test('a getter inside a plain value may call too', async () => {
      const pair = pairOf(kind, Sums, implementation);
      const here = capabilityFor(Sums, pair.ends[0].import(0));
      const inner: Promise<unknown>[] = [];
      const value = (deep: number): object => ({
        before: 'x'.repeat(10_000),
        get middle() {
          inner.push(here.echo(`echo ${deep}`), here.plain(deep > 0 ? value(deep - 1) : ['bottom']));
          return deep;
        },
        after: ['y', deep],
      });
      const outer = await here.plain(value(3));
      expect(outer).toEqual({ before: 'x'.repeat(10_000), middle: 3, after: ['y', 3] });
      const answers = await Promise.all(inner);
      expect(answers.filter((answer) => typeof answer === 'string').toSorted()).toEqual(
        [0, 1, 2, 3].map((deep) => `echo ${deep}`),
      );
      expect(answers).toContainEqual(['bottom']);
      expect(answers).toContainEqual({ before: 'x'.repeat(10_000), middle: 1, after: ['y', 1] });
    });

    test('a getter that throws, or ends the channel, does not harm other messages', async () => {
      const pair = pairOf(kind, Sums, implementation);
      const other = pairOf(kind, Sums, implementation);
      const here = capabilityFor(Sums, pair.ends[0].import(0));
      const there = capabilityFor(Sums, other.ends[0].import(0));
      const fault = new Error('a mistake of the caller');
      const point = (words: () => string): Parameters<typeof here.add>[0] => ({
        x: 1,
        y: 2,
        thing: thing(pair),
        get words() {
          return words();
        },
      });
      const throwing = here.add(
        point(() => {
          throw fault;
        }),
      );
      await expect(throwing).rejects.toBe(fault);
      const closing = point(() => {
        pair.ends[0].close();
        return 'x';
      });
      expect(await code(here.add(closing))).toBe('PeerGone');
      expect(await there.echo('still there')).toBe('still there');
      expect(await there.plain(['still there'])).toEqual(['still there']);
      await settled();
      expect(tables(pair)).toEqual([0, 0, 0, 0, 0, 0]);
    });
  },
);
