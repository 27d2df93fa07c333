/** Finds the running systems of this user, and removes the sockets of dead ones. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ControlClient, type Unreached } from './client.ts';
import { removeIfDead } from './dead.ts';
import { controlDirectory, directoryProblem, nameOfSocket, socketPath, systemNameProblem } from './place.ts';

/** How many other systems are named. */
const OTHERS_MAX = 20;

/** A system of another user. */
export interface OthersSystem {
  readonly owner: string;
  readonly pid: number;
  /** The config as it was given on the command line. */
  readonly config: string;
}

/**
 * A system that a command is for, or why there is none, in words for people. With `absent` it may
 * yet come, or answer.
 */
export type FoundSystem =
  | { readonly client: ControlClient }
  | { readonly problem: string; readonly absent?: true };

/** Names of the systems of this user that run; the sockets of dead ones are removed. */
export async function runningSystems(directory = controlDirectory()): Promise<readonly string[]> {
  if (directoryProblem(directory) !== undefined) return [];
  const names = readdirSync(directory).flatMap((file) => nameOfSocket(file) ?? []);
  const gone = await Promise.all(names.map((name) => removeIfDead(socketPath(directory, name))));
  return names.filter((_, index) => !gone[index]).toSorted();
}

/**
 * The system with this name or, with a `/` in it, at this socket; without a name the only one that
 * runs. If there is none, the problem names the systems that could be meant.
 */
export async function findSystem(
  name: string | undefined,
  directory = controlDirectory(),
  others: () => readonly OthersSystem[] = othersSystems,
): Promise<FoundSystem> {
  if (name?.includes('/')) return connected(await ControlClient.connect(resolve(name)), `at ${name}`);
  const unnameable = name === undefined ? undefined : systemNameProblem(name);
  if (unnameable !== undefined) return { problem: `--system ${JSON.stringify(name)}: ${unnameable}` };
  const running = await runningSystems(directory);
  if (name !== undefined && !running.includes(name)) {
    const problem = `no system "${name}" runs${await listed(running, directory)}${describeOthers(others())}`;
    return { problem, absent: true };
  }
  const [only, second] = running;
  const wanted = name ?? (second === undefined ? only : undefined);
  if (wanted === undefined && only === undefined)
    return { problem: `no system of yours runs${describeOthers(others())}`, absent: true };
  if (wanted === undefined) {
    return { problem: `several systems run: choose one by --system NAME${await listed(running, directory)}` };
  }
  return connected(await ControlClient.connect(socketPath(directory, wanted)), `"${wanted}"`);
}

function connected(client: ControlClient | Unreached, which: string): FoundSystem {
  if (client instanceof ControlClient) return { client };
  const reason = client.kind === 'gone' ? 'it does not run' : client.reason;
  return { problem: `system ${which} cannot be reached: ${reason}`, absent: true };
}

/** The systems, a line for each, with their configs as far as they say them. */
async function listed(names: readonly string[], directory: string): Promise<string> {
  if (names.length === 0) return '';
  const lines = names.map(async (name) => {
    const client = await ControlClient.connect(socketPath(directory, name));
    if (!(client instanceof ControlClient)) return name;
    client.close();
    return `${name} (${client.greeting.config})`;
  });
  return `\nrunning: ${(await Promise.all(lines)).join('\nrunning: ')}`;
}

function describeOthers(others: readonly OthersSystem[]): string {
  if (others.length === 0) return '';
  const lines = others.map(({ owner, pid, config }) => `of ${owner}: ${config} (process ${pid})`);
  return `\nother users' systems run, which only they can look into:\n${lines.join('\n')}`;
}

/**
 * Systems of other users, by what the kernel tells everybody of their processes. Where it tells
 * nothing, there are none.
 */
export function othersSystems(table = '/proc', uid = process.getuid?.()): readonly OthersSystem[] {
  const found: OthersSystem[] = [];
  let pids: readonly string[];
  try {
    pids = readdirSync(table).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  for (const pid of pids) {
    if (found.length >= OTHERS_MAX) break;
    try {
      const owner = statSync(join(table, pid)).uid;
      if (owner === uid) continue;
      const config = configOf(readFileSync(join(table, pid, 'cmdline'), 'utf8').split('\0'));
      if (config !== undefined) found.push({ owner: userName(owner), pid: Number(pid), config });
    } catch {
      // It has ended meanwhile, or the kernel hides it.
    }
  }
  return found;
}

/** The config that a command line runs; `undefined` if it is no ginit, or ginit with a command. */
function configOf(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => /^ginit(\.js)?$/.test(basename(word)));
  if (at === -1 || at > 4) return undefined;
  const rest = words.slice(at + 1).filter((word) => word !== '');
  const own = rest.filter((word, index) => !word.startsWith('-') && !takesValue(rest[index - 1]));
  const [first, second] = own;
  const config = first === 'dev' ? second : first;
  return config !== undefined && /\.(xml|hid)$/.test(config) && (first === config || second === config)
    ? config
    : undefined;
}

function takesValue(word: string | undefined): boolean {
  return word === '--ram' || word === '--system' || word === '--jail';
}

function userName(uid: number): string {
  try {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((one) => one.split(':')[2] === String(uid));
    return line?.split(':')[0] ?? `user ${uid}`;
  } catch {
    return `user ${uid}`;
  }
}
