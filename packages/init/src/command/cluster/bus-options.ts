/** The options by which a command reaches the bus of a cluster, and finds the keys of its nodes. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isClusterName, isPublicKey } from '@ginit/core/nats';
import {
  type BusOptions,
  CLUSTER_PROTOCOL,
  type Member,
  type NodeFacts,
  ownPlatform,
} from '@ginit/core/supervisor';
import { isNodeName } from '../../model/index.ts';
import { CORE } from '../component-imports.ts';
import { readKey } from '../keys/key-file.ts';
import { KeyList } from '../keys/key-list.ts';
import { systemReason } from '../system-reason.ts';

/** The help of these options. */
export const BUS_OPTIONS_HELP = `  --bus URL       the nats-server, or several with commas: nats://HOST:4222, tls://HOST:4222
  --cluster NAME  the cluster, as for ginit bus
  --keys FILE     the list of its keys, as for ginit bus: NAME KEY in each line (default: keys)
  --key FILE      its own key, of ginit key new (default: NAME.key)
  --tls-ca FILE, --tls-cert FILE, --tls-key FILE
                  certificates in PEM: of who signed the server's, and its own
  --lease TIME    how long a machine may be unreachable before it is lost (default 10s)`;

/** The options of `parseArgs`. */
export const BUS_OPTIONS = {
  bus: { type: 'string' },
  cluster: { type: 'string' },
  keys: { type: 'string' },
  key: { type: 'string' },
  'tls-ca': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  lease: { type: 'string' },
} as const;

/** What the command line says. */
export type BusValues = { readonly [Name in keyof typeof BUS_OPTIONS]?: string | undefined };

/** The list of keys in the place where one looks first. */
const KEYS_FILE = 'keys';
/** The name of the head in the list, if nothing else is said. */
export const HEAD_NAME = 'head';
const LEASE_MS = { min: 500, max: 600_000 };

/** How to reach the bus, and who is there. */
export interface OnBus {
  readonly options: BusOptions;
  /** The public key of this machine. */
  readonly publicKey: string;
  /** The names of the list, with their keys. */
  readonly members: readonly Member[];
}

/** The version of our runtime on this machine. */
function ginitVersion(): string {
  const text = readFileSync(join(CORE, 'package.json'), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

/** What this machine is made of. */
export function ownFacts(): NodeFacts {
  return {
    protocol: CLUSTER_PROTOCOL,
    ginit: ginitVersion(),
    node: process.versions.node,
    platform: ownPlatform(),
  };
}

/** Reads these options for a machine of this name. A string as the result says what is wrong. */
export function readBusOptions(values: BusValues, name: string, listNeeded: boolean): OnBus | string {
  const { bus, cluster, key = `${name}.key` } = values;
  if (bus === undefined) return 'no --bus given: nats://HOST:4222';
  if (cluster === undefined) return 'no --cluster given: the name that the bus was set up for';
  if (!isClusterName(cluster)) return `--cluster ${cluster}: up to 32 letters, digits, "_" and "-"`;
  const servers = bus.split(',');
  const wrong = servers.find((server) => !/^(?:nats|tls):\/\/[^\s/]+$/.test(server));
  if (wrong !== undefined) return `--bus ${wrong}: not nats://HOST:PORT or tls://HOST:PORT`;
  const leaseMs = values.lease === undefined ? undefined : readTime(values.lease);
  if (leaseMs === 'wrong') return `--lease ${values.lease}: a time from 500ms to 600s`;
  const reading = readKey(key);
  if ('problem' in reading) return `--key: ${reading.problem}`;
  const members = readMembers(values.keys, listNeeded);
  if (typeof members === 'string') return members;
  const tls = readTls(values);
  if (typeof tls === 'string') return tls;
  // The number of this process tells others whether they hear from the same one as before.
  const about = JSON.stringify({ ...ownFacts(), instance: randomBytes(8).toString('hex') });
  const options = { servers, seed: reading.seed, cluster, about, leaseMs, tls };
  return { options, publicKey: reading.identity.publicKey, members };
}

/** The public key that somebody is named by: itself, or a name of the list. */
export function keyNamed(word: string, members: readonly Member[]): string | undefined {
  return isPublicKey(word) ? word : members.find(({ name }) => name === word)?.key;
}

function readMembers(file: string | undefined, needed: boolean): readonly Member[] | string {
  if (file === undefined && !existsSync(KEYS_FILE))
    return needed ? `no list of keys: --keys FILE, or a file "${KEYS_FILE}" here` : [];
  const list = new KeyList();
  list.addFile(file ?? KEYS_FILE);
  const [problem] = list.problems;
  if (problem !== undefined) return problem;
  return [...list.names].flatMap(([key, name]) => (isNodeName(name) ? [{ name, key }] : []));
}

function readTls(values: BusValues): BusOptions['tls'] | string {
  const files = { ca: values['tls-ca'], cert: values['tls-cert'], key: values['tls-key'] };
  if (Object.values(files).every((file) => file === undefined)) return undefined;
  const contents: { ca?: string; cert?: string; key?: string } = {};
  for (const part of ['ca', 'cert', 'key'] as const) {
    const file = files[part];
    if (file === undefined) continue;
    try {
      contents[part] = readFileSync(file, 'utf8');
    } catch (error) {
      return `--tls-${part}: cannot read ${file}: ${systemReason(error)}`;
    }
  }
  return contents;
}

function readTime(text: string): number | 'wrong' {
  const [, number, unit] = /^(\d+)(ms|s)$/.exec(text) ?? [];
  const ms = Number(number) * (unit === 's' ? 1000 : 1);
  return ms >= LEASE_MS.min && ms <= LEASE_MS.max ? ms : 'wrong';
}
