/** Decides whether a component gets a jail, and with which rules. */
import type { ComponentSpecification, JailStanding } from '../../supervisor/platform.ts';
import { jailMeans } from '../jail/lacks.ts';
import { grantsLack, type JailRules } from '../jail/rules.ts';
import { runtimeFiles } from '../jail/runtime-files.ts';

/** The rules of a jail, or why there can be none. */
export type JailChoice = { readonly rules: JailRules } | { readonly lack: string };

/**
 * The jail for a component, or `undefined` for one that is to have none: a thread, for instance, or
 * a component whose start node says so.
 */
export function jailFor({
  jail,
  ownProcess,
  files,
  usedGrants: grants,
}: ComponentSpecification): JailChoice | undefined {
  if (jail === 'no' || !ownProcess) return undefined;
  const means = jailMeans();
  if (typeof means === 'string') return { lack: means };
  const lack = grantsLack(grants, means.landlock.abi);
  if (lack !== undefined) return { lack };
  if (files.length === 0) return { lack: 'nobody knows which files its code is in' };
  const code = [...files, ...runtimeFiles(means.calls)];
  return { rules: { code, grants: grants.map(({ kind, access, target }) => ({ kind, access, target })) } };
}

/** The words that tell people why there are no jails. */
export function withoutJails(lack: string): string {
  return `warning: processes are not jailed: ${lack}`;
}

/** How the process of a component is confined, for the summary; `undefined` for a thread. */
export function standingOf(
  { ownProcess }: ComponentSpecification,
  choice: JailChoice | undefined,
): JailStanding | undefined {
  if (!ownProcess) return undefined;
  if (choice === undefined) return { jailed: false, reason: 'not asked for' };
  return 'rules' in choice ? { jailed: true } : { jailed: false, reason: choice.lack };
}
