/** `ginit plan`: what a new config would change, in a running system or against another config. */
import { list, record, text } from '@ginit/core';
import { resolve } from 'node:path';
import { describeChange, expectedChildren, planChanges } from '../../plan/index.ts';
import { type CheckedConfig, readCheckedConfig } from '../checked-config.ts';
import type { ControlClient } from '../control/index.ts';
import { type FreeOfErrors, freeOfErrors } from '../live-config.ts';
import type { Output } from '../output.ts';
import { defaultQuota } from '../root-quota.ts';

const WRONG_EXIT_CODE = 2;
const LINE = 8192;
const LINES_MAX = 100_000;

const planAnswer = record({
  warnings: list(text(LINE), LINES_MAX),
  errors: list(text(LINE), LINES_MAX),
  changes: list(text(LINE), LINES_MAX),
});

/** Says what the file would change in the running system; the result is the exit code. */
export async function planRunning(
  client: ControlClient,
  file: string,
  json: boolean,
  output: Output,
): Promise<number> {
  const answer = planAnswer(await client.ask('plan', { file: resolve(file) }), 'plan');
  for (const line of [...answer.warnings, ...answer.errors]) output.plain(line);
  if (answer.errors.length > 0) return WRONG_EXIT_CODE;
  return show(answer.changes, json, output);
}

/**
 * Says what it would change to run `after` in the place of `before`; the result is the exit code.
 */
export async function planBetween(
  [before, after]: readonly [string, string],
  json: boolean,
  output: Output,
): Promise<number> {
  const [old, next] = [await sound(before, output), await sound(after, output)];
  if (!old || !next) return WRONG_EXIT_CODE;
  const existing = expectedChildren(old.config, ({ name }) => old.manifests.get(name)?.requires ?? []);
  return show(planChanges(existing, next.config).flatMap(describeChange), json, output);
}

async function sound(file: string, output: Output): Promise<FreeOfErrors | undefined> {
  const checked: CheckedConfig = await readCheckedConfig(file, defaultQuota());
  for (const line of [...checked.warnings, ...checked.errors]) output.plain(line);
  return freeOfErrors(checked);
}

async function show(changes: readonly string[], json: boolean, output: Output): Promise<number> {
  if (json) await output.text(JSON.stringify(changes));
  else if (changes.length === 0) output.say('nothing would change');
  else for (const line of changes) await output.line(line);
  return 0;
}
