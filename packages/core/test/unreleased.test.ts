/** Capabilities that are dropped instead of released: the warning. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { rpc, rpcInterface } from '../src/index.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import { PendingReference } from '../src/capability/reference.ts';
import { warnOfUnreleased } from '../src/capability/unreleased.ts';
import { attack, settled } from './channel-raw-peer.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const interfaces = Object.fromEntries(
  ['Dropped', 'Released', 'Kept', 'Seen twice', 'Of a dead peer', 'Never introduced'].map((name) => [
    name,
    rpcInterface(name, { poke: rpc<() => number>() }),
  ]),
);

function named(name: string): NonNullable<(typeof interfaces)[string]> {
  const found = interfaces[name];
  if (!found) throw new Error(name);
  return found;
}

test('warns only of capabilities that were dropped, once for each interface', async () => {
  const warnings: string[] = [];
  warnOfUnreleased((text) => warnings.push(text));
  const scene = attack();
  const { channel } = scene;
  const other = attack();
  const kept: object[] = [scene.remote, other.remote];
  const make = (): void => {
    for (let time = 0; time < 50; time++) {
      capabilityFor(named('Dropped'), channel.import(1));
      capabilityFor(named('Released'), channel.import(2))[Symbol.dispose]();
      kept.push(capabilityFor(named('Kept'), channel.import(3)));
      const twice = channel.import(4);
      capabilityFor(named('Seen twice'), twice);
      kept.push(capabilityFor(named('Seen twice'), twice));
      capabilityFor(named('Of a dead peer'), other.channel.import(1));
      capabilityFor(named('Never introduced'), PendingReference.failed('gone'));
    }
  };
  make();
  other.peer.die();
  for (let turn = 0; turn < 20; turn++) {
    collect();
    await settled();
  }
  expect(warnings).toEqual([
    'a capability of Dropped was never released; its owner keeps the object for this component',
  ]);
  expect(kept).toHaveLength(102);
});
