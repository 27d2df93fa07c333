import { didYouMean, quotedList, shown } from '@ginit/core/config';
import { chooseTarget, type RouteRule, type RouteTarget, type ServiceDirectory } from '../routing/index.ts';
import type { CheckFindings } from './findings.ts';
import type { Scope } from './scope.ts';

/**
 * Checks the rules themselves, whichever child uses them: targets that do not exist, targets that
 * do not provide the service of their rule, rules of which no target works. Returns the broken
 * rules, so that their consequences are not listed again.
 */
export function checkTargets(scope: Scope, findings: CheckFindings): ReadonlySet<RouteRule> {
  const { config, directory } = scope;
  const broken = new Set<RouteRule>();
  for (const { name, child } of config.aliases) {
    if (scope.startByName.has(child.name)) continue;
    const hint = didYouMean(child.name, scope.startByName.keys());
    findings.error(
      `alias ${shown(name)} stands for child ${shown(child.name)}, which there is not${hint}`,
      child.position,
    );
  }
  const rules = [...(config.defaultRoute ?? []), ...config.starts.flatMap((start) => start.route ?? [])];
  for (const rule of rules) {
    for (const target of rule.targets) {
      if (target.kind === 'child' && !checkChild(target, rule, scope, findings)) broken.add(rule);
    }
    if (!broken.has(rule) && !checkRule(rule, directory, findings)) broken.add(rule);
  }
  return broken;
}

type ChildTarget = RouteTarget & { readonly kind: 'child' };

function checkChild(target: ChildTarget, rule: RouteRule, scope: Scope, findings: CheckFindings): boolean {
  const { name, namePosition } = target;
  const start = scope.startByName.get(name);
  if (start === undefined) {
    const isAlias = scope.config.aliases.some(({ child }) => child.name === name);
    // An alias that stands for nobody has been listed itself.
    if (!isAlias) {
      const names = [...scope.startByName.keys(), ...scope.config.aliases.map((alias) => alias.name)];
      findings.error(`there is no child ${shown(name)}${didYouMean(name, names)}`, namePosition);
    }
    return false;
  }
  const { service } = rule;
  if (service === undefined || start.provides.some((one) => one.name === service)) return true;
  const names = start.provides.map((one) => one.name);
  const provided = names.length === 0 ? 'it has no <provides>' : `its <provides> lists ${quotedList(names)}`;
  findings.error(`child ${shown(name)} does not provide service "${service}" (${provided})`, namePosition);
  return false;
}

/**
 * A rule for one service must have a target that works; one without any target is a denial that was
 * meant.
 */
function checkRule(rule: RouteRule, directory: ServiceDirectory, findings: CheckFindings): boolean {
  if (rule.service === undefined || rule.targets.length === 0) return true;
  const choice = chooseTarget(rule, rule.service, directory);
  if (choice?.kind !== 'denied') return true;
  const hint = choice.reason === 'no-provider' ? noProviderHint(rule) : '';
  findings.error(`${choice.text}${hint}`, choice.position ?? rule.position);
  return false;
}

function noProviderHint({ targets }: RouteRule): string {
  if (targets.some(({ kind }) => kind === 'parent')) return ' (it is not in <parent-provides>)';
  const isLocal = targets.some(({ kind }) => kind === 'local');
  return isLocal ? ' (init has no services of its own, so <local/> leads nowhere)' : '';
}
