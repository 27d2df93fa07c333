/** `ginit plan`: what a new config would change, in a running system or against another config. */
import { list, record, text } from '@ginit/core';
import { resolve } from 'node:path';
import { LABEL_SEPARATOR, prependLabel } from '@ginit/core/system';
import { type InitConfig, nestedConfigOf, type StartNode } from '../../model/index.ts';
import { describePlan, expectedChildren, planChanges, type Planner, planTree } from '../../plan/index.ts';
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
  const planner: Planner = (path, config) => {
    const outdated = path === undefined ? old.config : configAt(old.config, path.split(LABEL_SEPARATOR));
    const needs = ({ name }: StartNode): readonly string[] =>
      old.manifests.get(path === undefined ? name : prependLabel(path, name))?.requires ?? [];
    const plan = outdated && describePlan(planChanges(expectedChildren(outdated, needs), config));
    return Promise.resolve(plan);
  };
  return show((await planTree(planner, next.config)) ?? [], json, output);
}

/** The config of the nested init at the end of this way. */
function configAt(config: InitConfig, [name, ...rest]: readonly string[]): InitConfig | undefined {
  const start = config.starts.find((one) => one.name === name);
  const nested = start && nestedConfigOf(start);
  return nested && rest.length > 0 ? configAt(nested, rest) : nested;
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
