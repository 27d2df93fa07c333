/**
 * The plan of a whole tree: what a new config changes inside a nested init that goes on with it is
 * told below the line that says so, set in by two spaces, and so on downward.
 */
import { type PlannedLine, prependLabel } from '@ginit/core/system';
import { type InitConfig, nestedConfigOf } from '../model/index.ts';

/**
 * Says what a config changes for the children of one init. `path` names the init from the outermost
 * one (`sub -> inner`); it is `undefined` for that. The result is `undefined` if the init cannot
 * say it.
 */
export type Planner = (
  path: string | undefined,
  config: InitConfig,
) => Promise<readonly PlannedLine[] | undefined>;

/** The lines of a plan; `undefined` if the outermost init cannot say it. */
export async function planTree(
  planner: Planner,
  config: InitConfig,
  path?: string,
): Promise<string[] | undefined> {
  const changes = await planner(path, config);
  if (!changes) return undefined;
  const lines: string[] = [];
  for (const { text, newConfig } of changes) {
    lines.push(text);
    const start = config.starts.find(({ name }) => name === newConfig);
    const inner = start && nestedConfigOf(start);
    if (!start || !inner) continue;
    const below = path === undefined ? start.name : prependLabel(path, start.name);
    const inside = (await planTree(planner, inner, below)) ?? ['it does not say what that changes inside'];
    lines.push(...inside.map((line) => `  ${line}`));
  }
  return lines;
}
