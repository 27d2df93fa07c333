/** A workplace where every system that runs also runs simulated, twice: it must say the same, and the same each time. */
import { cpSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'vitest';
import { type FinishedRun, Workplace } from './ginit.ts';

/** A config that cannot work: nothing runs. */
const USAGE_EXIT_CODE = 2;

/** The lines of each component, in their order. */
export function byComponent({ lines }: FinishedRun): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const line of lines) (found[/^\[([^\]]*)\]/.exec(line)?.[1] ?? ''] ??= []).push(line);
  return found;
}

/** The lines, without what depends on whether a server ended before or after it was asked for a session. */
function inAnyOrder(run: FinishedRun): Record<string, string[]> {
  const lines = run.lines.map((line) =>
    line.replace(/server "(\w+)" is gone$/, 'server "$1" is not running'),
  );
  return byComponent({ ...run, lines });
}

/** Runs a config simulated, twice with one seed, and compares it with its real run; files are as they were before that. */
export async function expectSameSimulated(
  place: Workplace,
  config: string,
  real: FinishedRun,
): Promise<void> {
  const runs: FinishedRun[] = [];
  for (let time = 1; time <= 2; time++) runs.push(await place.run('sim', '--seed', '1', config));
  const [first, second] = runs;
  if (!first || !second) throw new Error('it ran twice');
  expect(first.code, first.stderr).toBe(real.code);
  expect(inAnyOrder(first)).toEqual(inAnyOrder(real));
  expect(first.stderr).toMatch(/, state [0-9a-f]{16}$/m);
  expect(second.stderr).toBe(first.stderr);
  expect(second.stdout).toBe(first.stdout);
}

/** See above. */
export class SimulatedToo extends Workplace {
  override async run(...args: readonly string[]): Promise<FinishedRun> {
    const [config, ...more] = args;
    if (config === undefined || more.length > 0 || !config.endsWith('.xml')) return super.run(...args);
    using before = new Workplace();
    // Each workplace has packages of its own.
    const filter = (path: string): boolean => basename(path) !== 'node_modules';
    cpSync(this.directory, before.directory, { recursive: true, filter });
    const real = await super.run(config);
    if (real.code !== USAGE_EXIT_CODE) await expectSameSimulated(before, config, real);
    return real;
  }
}
