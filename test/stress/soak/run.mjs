/**
 * Soaks the block layer: chains of devices under random requests for a while, each answer compared
 * with what was written, and the system watched from outside.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProcessGroup } from '../watch/group.mjs';
import { leftOver, sharedMemoryFiles } from '../watch/processes.mjs';
import { Samples } from '../watch/samples.mjs';
import { CHAIN_NAMES, writeSystem } from './chains.mjs';
import { Tallies } from './tallies.mjs';

const SOAKER = fileURLToPath(new URL('soaker.mjs', import.meta.url));
const SAMPLE_MS = 1000;
/** For the start, and for what is compared behind the end of the requests. */
const EXTRA_MS = 240_000;
const LEFT_OVER_MS = 2000;

/**
 * Runs it. The result has the figures of each chain, the medians of what the processes held at
 * first and at last, and what went wrong, as texts.
 */
export async function soak({ seconds, seed }, say = () => {}) {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-soak-'));
  const sharedBefore = sharedMemoryFiles();
  const wrong = [];
  const chains = {};
  const samples = new Samples();
  const tallies = new Tallies();
  const system = new ProcessGroup(
    ['--ram', '2G', writeSystem(directory, { seconds, seed, soaker: SOAKER })],
    {
      cwd: directory,
      onLine: (line) => {
        if (tallies.line(line)) say(tallies.text);
      },
    },
  );
  const all = CHAIN_NAMES.length;
  const timer = setInterval(() => {
    if (tallies.begun.size === all && tallies.done.size === 0) samples.add(system.processes());
  }, SAMPLE_MS);
  try {
    await system.until(() => tallies.done.size === all, seconds * 1000 + EXTRA_MS, 'the chains do not end');
    for (const name of CHAIN_NAMES) {
      const { requests, failed, compared, wrong: told } = tallies.byChain.get(name);
      chains[name] = { requests, failed, compared };
      wrong.push(...told.map((text) => `${name}: ${text}`));
    }
    system.signal('SIGTERM');
    const { code, signal } = await system.finished;
    if (code !== 0) wrong.push(`ginit ended with ${signal ?? code}`);
  } catch (error) {
    wrong.push(error.message);
  } finally {
    clearInterval(timer);
    system.killAll();
  }
  const left = await leftOver(system.group, LEFT_OVER_MS);
  if (left.length > 0) wrong.push(`processes ${left.map(({ pid }) => pid).join(', ')} are left`);
  if (sharedMemoryFiles().join() !== sharedBefore.join()) wrong.push('files are left in /dev/shm');
  wrong.push(...tallies.complaints);
  rmSync(directory, { recursive: true, force: true });
  const { medians, grown } = samples.judge();
  return { seconds, seed, chains, medians, wrong: [...wrong, ...grown] };
}
