import { LABEL_SEPARATOR, labelWithin, splitLabel } from '@ginit/core/system';
import type { LabelFilter, LabelRewrite } from './rule.ts';

/**
 * Whether a request's label satisfies a rule's filter. `label` is the whole label as init sees it:
 * `child -> client's label`, or for the sessions of the child's environment the unscoped name.
 *
 * `labelLast`, if given, decides alone; then `unscopedLabel`; else all of the others must hold, and
 * they look at the client's part only. An unscoped label has none, so it satisfies none of them,
 * not even an empty prefix.
 */
export function matchesLabel(filter: LabelFilter | undefined, label: string, childName: string): boolean {
  if (filter === undefined) return true;
  if (filter.labelLast !== undefined) return splitLabel(label).last === filter.labelLast;
  if (filter.unscopedLabel !== undefined) return label === filter.unscopedLabel;
  const scoped = labelWithin(label, childName);
  if (scoped === undefined) return false;
  if (filter.label !== undefined && scoped !== filter.label) return false;
  if (filter.labelPrefix !== undefined && !scoped.startsWith(filter.labelPrefix)) return false;
  return filter.labelSuffix === undefined || scoped.endsWith(filter.labelSuffix);
}

/**
 * The label that the server sees. `label` replaces everything as it stands. Otherwise the label is
 * split at its last separator: `identity` replaces what is before it, `resource` what is behind it,
 * and `prependResource` is glued to the front of the latter. Of an empty identity only the resource
 * remains. The result is not checked for its length.
 */
export function rewriteLabel(rewrite: LabelRewrite, label: string): string {
  if (rewrite.label !== undefined) return rewrite.label;
  if (
    rewrite.identity === undefined &&
    rewrite.resource === undefined &&
    rewrite.prependResource === undefined
  ) {
    return label;
  }
  const { prefix, last } = splitLabel(label);
  const identity = rewrite.identity ?? prefix;
  const resource = (rewrite.prependResource ?? '') + (rewrite.resource ?? last);
  return identity === '' ? resource : `${identity}${LABEL_SEPARATOR}${resource}`;
}
