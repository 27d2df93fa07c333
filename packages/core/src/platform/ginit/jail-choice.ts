/** Decides whether a component gets a jail, and with which rules. */
import type { ComponentSpecification, JailStanding } from '../../supervisor/platform.ts';
import { jailMeans } from '../jail/lacks.ts';
import { grantsLack, type JailRules } from '../jail/rules.ts';
import { runtimeFiles } from '../jail/runtime-files.ts';

/** Rules, or why there can be no jail. */
export type JailChoice = { readonly rules: JailRules } | { readonly lack: string };

/** Undefined for a component that is to have none: a thread among others, or one whose start node says so. */
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

/** How people are told that there are none. */
export function withoutJails(lack: string): string {
  return `warning: processes are not jailed: ${lack}`;
}

/** What to remember of that; nothing of threads. */
export function standingOf(
  { ownProcess }: ComponentSpecification,
  choice: JailChoice | undefined,
): JailStanding | undefined {
  if (!ownProcess) return undefined;
  if (choice === undefined) return { jailed: false, reason: 'not asked for' };
  return 'rules' in choice ? { jailed: true } : { jailed: false, reason: choice.lack };
}
