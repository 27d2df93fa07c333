/**
 * Policies that people write: the text of a module, whose default export is a `TracePolicy`. It is
 * JavaScript (TypeScript, once its types are gone), without imports. A text that is only names of
 * stock policies, separated by spaces, is these together: the first that has a function for a hook
 * decides.
 *
 * The one rule holds for a policy as for any component: it gets what has happened and reaches
 * nothing else. That is checked by the words in its text, which finds accidents and honest
 * mistakes. Hostile code it does not hold: a policy runs in the traced thread, with all that the
 * thread can do.
 */
import { LIMITS } from '../limits.ts';
import { POLICY_FUNCTIONS, type TracePolicy } from './policy.ts';
import { STOCK_POLICIES } from './stock-policies.ts';

/** Why a text is no policy, in words for people. */
export interface PolicyProblem {
  readonly problem: string;
}

/** Ways to the outside, to other code, and to clocks and chance. */
const FORBIDDEN = new RegExp(
  [
    // Other code, and the host.
    'import|require|process|globalThis|global|self|getBuiltinModule|fetch|WebSocket|WebAssembly',
    // Code from texts.
    'eval|Function|constructor',
    // Later, and other threads.
    'async|await|Promise|queueMicrotask|set(?:Timeout|Interval|Immediate)|Atomics|SharedArrayBuffer',
    // Clocks and chance.
    'Date|performance|crypto|random',
  ]
    .map((words) => `\\b(?:${words})\\b`)
    .join('|'),
);
const ESCAPED_NAME = /\\u(?:00[2-7]|\{)/;
const EXPORT = /^export default\b/gm;
const OTHER_EXPORT = /^export\b(?! default\b)/m;
/** The words that a module cannot reach by their name, should one be hidden from the check. */
const SHADOWED = ['process', 'require', 'globalThis', 'global', 'fetch', 'WebAssembly'] as const;

/** The policy of a text. */
export function readPolicy(text: string): TracePolicy | PolicyProblem {
  const names = text.trim().split(/\s+/);
  if (names.every((name) => /^[a-z_]+$/.test(name))) return stockPolicy(names);
  if (text.length > LIMITS.tracePolicyCharacters) {
    return { problem: `a policy has at most ${LIMITS.tracePolicyCharacters} characters` };
  }
  const word = FORBIDDEN.exec(text)?.[0];
  if (word !== undefined) {
    return { problem: `line ${lineOf(text, text.indexOf(word))}: a policy must do without "${word}"` };
  }
  if (ESCAPED_NAME.test(text)) return { problem: 'a policy must do without escapes of plain letters' };
  const exports = text.match(EXPORT)?.length ?? 0;
  if (exports !== 1) {
    return { problem: `one line must begin with "export default", ${exports === 0 ? 'none' : 'several'} do` };
  }
  const other = OTHER_EXPORT.exec(text);
  if (other) return { problem: `line ${lineOf(text, other.index)}: a policy has a default export only` };
  return compiled(text.replace(EXPORT, 'module.default ='));
}

/** Whether it is a problem and no policy. */
export function isPolicyProblem(read: TracePolicy | PolicyProblem): read is PolicyProblem {
  return 'problem' in read;
}

function stockPolicy(names: readonly string[]): TracePolicy | PolicyProblem {
  const policies: TracePolicy[] = [];
  for (const name of names) {
    const policy = STOCK_POLICIES.get(name);
    if (!policy) {
      return { problem: `no policy "${name}": there are ${[...STOCK_POLICIES.keys()].join(', ')}` };
    }
    policies.push(policy);
  }
  const maxEventBytes = Math.max(...policies.map((policy) => policy.maxEventBytes ?? EVENT_BYTES));
  return Object.assign({}, ...policies.toReversed(), { maxEventBytes });
}

/** The bound of an event of a policy that names none. */
export const EVENT_BYTES = 256;

function compiled(code: string): TracePolicy | PolicyProblem {
  const module: { default?: unknown } = {};
  try {
    const make = new Function('module', ...SHADOWED, `"use strict";${code}`);
    Reflect.apply(make, undefined, [module]);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'it throws';
    return { problem: reason.slice(0, LIMITS.reasonBytes / 4) };
  }
  return policyOf(module.default);
}

function policyOf(exported: unknown): TracePolicy | PolicyProblem {
  if (typeof exported !== 'object' || exported === null) {
    return { problem: 'the default export is no object with functions' };
  }
  const bytes: unknown = Reflect.get(exported, 'maxEventBytes');
  if (bytes !== undefined && !(typeof bytes === 'number' && Number.isInteger(bytes) && bytes > 0)) {
    return { problem: 'maxEventBytes is a whole number above 0' };
  }
  for (const name of Object.keys(exported)) {
    if (name === 'maxEventBytes') continue;
    if (!POLICY_FUNCTIONS.some((known) => known === name)) {
      return { problem: `no hook has a function "${name}": there are ${POLICY_FUNCTIONS.join(', ')}` };
    }
    if (typeof Reflect.get(exported, name) !== 'function') return { problem: `${name} is no function` };
  }
  return exported;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, Math.max(0, index)).split('\n').length;
}
