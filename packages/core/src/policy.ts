import { SessionError } from './errors.ts';
import type { Label } from './label.ts';

/*
 * Server-side policy selection as in Genode: a server's config holds `<policy>` nodes that select
 * sessions by their label, and perhaps a `<default-policy>`. An exact `label` beats everything;
 * then the longest `label_prefix`, then the longest `label_suffix`; of equals the first in the
 * document. A candidate with any attribute that does not match is out, and so is a `<policy>`
 * without any label attribute: it would select everybody by an oversight.
 *
 * Values are trimmed before they are compared, and so is the label where its end counts: the label
 * of a session that was opened without a name ends in the separator's space (`child -> `) and could
 * not be named otherwise.
 */

/** How a policy selects sessions. */
export interface PolicySelection {
  readonly label: string | undefined;
  readonly label_prefix: string | undefined;
  readonly label_suffix: string | undefined;
}

/**
 * The part of a server's config that holds its policies, as a schema with `policyElements` reads
 * it.
 */
export interface PolicyConfig<Policy extends PolicySelection = PolicySelection, Default = unknown> {
  readonly $children: {
    readonly policy: readonly Policy[];
    readonly 'default-policy': Default | undefined;
  };
}

/**
 * The policy for the session with this label. Throws `DENIED` if there is none. `config` was read
 * by a schema with `policyElements`.
 */
export function requiredPolicy<Policy extends PolicySelection, Default>(
  config: PolicyConfig<Policy, Default>,
  label: Label,
): Policy | Default {
  const policy = selectPolicy(config, label);
  if (policy !== undefined) return policy;
  throw new SessionError('DENIED', `no policy defined for label "${label.text}"`);
}

/**
 * The policy for the session with this label, or `undefined` if there is none: then the server has
 * to deny the session. `config` was read by a schema with `policyElements`.
 */
export function selectPolicy<Policy extends PolicySelection, Default>(
  config: PolicyConfig<Policy, Default>,
  label: Label | string,
): Policy | Default | undefined {
  const text = typeof label === 'string' ? label : label.text;
  let best: Policy | undefined;
  let bestScore: Score | undefined;
  for (const policy of config.$children.policy) {
    const score = scoreOf(policy, text);
    if (score === undefined || (bestScore !== undefined && !beats(score, bestScore))) continue;
    best = policy;
    bestScore = score;
  }
  return best ?? config.$children['default-policy'];
}

/** How well a policy matches: its attributes in the order of their weight, -1 for a missing one. */
type Score = readonly [label: number, prefixLength: number, suffixLength: number];

function scoreOf(policy: PolicySelection, label: string): Score | undefined {
  const exact = policy.label?.trim();
  const prefix = policy.label_prefix?.trim();
  const suffix = policy.label_suffix?.trim();
  if (exact === undefined && prefix === undefined && suffix === undefined) return undefined;
  if (exact !== undefined && exact !== label.trim()) return undefined;
  if (prefix !== undefined && !label.startsWith(prefix)) return undefined;
  if (suffix !== undefined && !label.trimEnd().endsWith(suffix)) return undefined;
  return [exact === undefined ? -1 : 1, prefix?.length ?? -1, suffix?.length ?? -1];
}

function beats(left: Score, right: Score): boolean {
  for (const [index, strength] of left.entries()) {
    const other = right[index] ?? -1;
    if (strength !== other) return strength > other;
  }
  return false;
}
