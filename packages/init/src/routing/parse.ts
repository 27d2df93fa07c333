import type { ConfigNode } from '@ginit/core/config';
import type { ConfigWarning } from '../warning.ts';
import type { LabelFilter, LabelRewrite, RouteRule, RouteTarget } from './rule.ts';
import type { RouteReading, RuleReading, TargetReading } from './schema.ts';

/**
 * The rules of a `<route>` or `<default-route>`. Rules that name no service are skipped here, the
 * schema has listed them already. Filters that hide one another are noted in `warnings`.
 */
export function parseRoute(route: RouteReading, warnings: ConfigWarning[]): RouteRule[] {
  const rules: RouteRule[] = [];
  for (const rule of route.$content) {
    const service = rule.$type === 'service' ? rule.name : undefined;
    if (rule.$type === 'service' && service === undefined) continue;
    rules.push({
      service,
      filter: parseFilter(rule, warnings),
      targets: rule.$content.flatMap((part) => (part.$type === 'if-arg' ? [] : parseTarget(part))),
      position: rule.$node.position,
    });
  }
  return rules;
}

const SCOPED_ATTRIBUTES = ['label', 'label_prefix', 'label_suffix'] as const;

function parseFilter(rule: RuleReading, warnings: ConfigWarning[]): LabelFilter | undefined {
  warnOfHidden(rule.$node, warnings);
  const condition = rule.$children['if-arg'];
  if (condition && rule.$node.has('label')) {
    const text = `<if-arg> is not looked at beside attribute "label" of <${rule.$type}>`;
    warnings.push({ text, position: condition.$node.position });
  }
  const filter: LabelFilter = {
    unscopedLabel: rule.unscoped_label,
    labelLast: rule.label_last,
    label: (rule.label ?? condition?.value)?.trim(),
    labelPrefix: rule.label_prefix?.trim(),
    labelSuffix: rule.label_suffix?.trim(),
  };
  return Object.values(filter).some((value) => value !== undefined) ? filter : undefined;
}

function warnOfHidden(node: ConfigNode, warnings: ConfigWarning[]): void {
  const order = ['label_last', 'unscoped_label', ...SCOPED_ATTRIBUTES];
  const strongest = order.find((name) => node.has(name));
  if (strongest !== 'label_last' && strongest !== 'unscoped_label') return;
  for (const name of order) {
    if (name === strongest || !node.has(name)) continue;
    const text = `attribute "${name}" of <${node.type}> is not looked at beside "${strongest}"`;
    warnings.push({ text, position: node.positionOf(name) });
  }
}

function parseTarget(target: TargetReading): RouteTarget[] {
  const { position } = target.$node;
  switch (target.$type) {
    case 'parent':
    case 'local':
      return [{ kind: target.$type, rewrite: parseRewrite(target), position }];
    case 'any-child':
      return [{ kind: 'any-child', position }];
    case 'child': {
      const { name } = target;
      if (name === undefined) return [];
      const namePosition = target.$node.positionOf('name');
      return [{ kind: 'child', name, namePosition, rewrite: parseRewrite(target), position }];
    }
  }
}

function parseRewrite(target: Exclude<TargetReading, { readonly $type: 'any-child' }>): LabelRewrite {
  return {
    label: target.label,
    identity: target.identity,
    resource: target.resource,
    prependResource: target.prepend_resource,
  };
}
