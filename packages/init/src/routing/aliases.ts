import type { RouteRule } from './rule.ts';

/**
 * The rules with the names of children in the place of other names for them (`<alias>`). Only the
 * names themselves are looked up: an alias of an alias leads nowhere, as in Genode.
 */
export function withoutAliases(
  rules: readonly RouteRule[],
  aliases: ReadonlyMap<string, string>,
): readonly RouteRule[] {
  if (aliases.size === 0) return rules;
  return rules.map((rule) => ({
    ...rule,
    targets: rule.targets.map((target) =>
      target.kind === 'child' ? { ...target, name: aliases.get(target.name) ?? target.name } : target,
    ),
  }));
}
