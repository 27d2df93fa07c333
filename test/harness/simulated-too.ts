/**
 * A workplace where every system that runs also runs simulated, and must print the same there. The
 * tests in test/sim/ show that a seed gives the same run each time.
 */
import { cpSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'vitest';
import { type FinishedRun, Workplace } from './ginit.ts';

/** A config that cannot work: nothing runs. */
const USAGE_EXIT_CODE = 2;

/** What init says of a wait that lasts: in a real run that depends on the load of the machine. */
const LASTING_WAITS = [
  /^\[[^\]]*\] Warning: ".+" waits for "[^"]+", which has not offered /,
  /^\[[^\]]*\] Warning: ".+" waits for "[^"]+" to answer its request for /,
  /^\[[^\]]*\] Warning: "[^"]+" has yet to (close a|put its things in order)/,
];

/** The lines of each component, in their order. */
export function byComponent({ lines }: FinishedRun): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const line of lines.filter((text) => !LASTING_WAITS.some((wait) => wait.test(text))))
    (found[/^\[([^\]]*)\]/.exec(line)?.[1] ?? ''] ??= []).push(line);
  return found;
}

/**
 * The lines, without those that depend on whether a server ended before or after it was asked for a
 * session.
 */
function inAnyOrder(run: FinishedRun): Record<string, string[]> {
  const lines = run.lines.map((line) =>
    line.replace(/server "(\w+)" is gone$/, 'server "$1" is not running'),
  );
  return byComponent({ ...run, lines });
}

/** Runs a config simulated, and compares it with its real run. The files are restored first. */
export async function expectSaysTheSame(
  place: Workplace,
  config: string,
  real: FinishedRun,
): Promise<FinishedRun> {
  const simulated = await place.simulate('--seed', '1', config);
  expect(simulated.code, simulated.stderr).toBe(real.code);
  expect(inAnyOrder(simulated)).toEqual(inAnyOrder(real));
  expect(simulated.stderr).toMatch(/, state [0-9a-f]{16}$/m);
  return simulated;
}

/** Like `expectSaysTheSame`, twice with the same seed. */
export async function expectSameSimulated(
  place: Workplace,
  config: string,
  real: FinishedRun,
): Promise<void> {
  const first = await expectSaysTheSame(place, config, real);
  const second = await place.simulate('--seed', '1', config);
  expect(second.stderr).toBe(first.stderr);
  expect(second.stdout).toBe(first.stdout);
}

/** A workplace with that check built in. */
export class SimulatedToo extends Workplace {
  override async run(...args: readonly string[]): Promise<FinishedRun> {
    const [config, ...more] = args;
    if (config === undefined || more.length > 0 || !config.endsWith('.xml')) return super.run(...args);
    using before = new Workplace();
    // Each workplace has packages of its own.
    const filter = (path: string): boolean => basename(path) !== 'node_modules';
    cpSync(this.directory, before.directory, { recursive: true, filter });
    const real = await super.run(config);
    if (real.code !== USAGE_EXIT_CODE) await expectSaysTheSame(before, config, real);
    return real;
  }
}
