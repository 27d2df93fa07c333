import { type ConfigNode, validName } from '@ginit/core';
import type { ConfigWarning } from '../model/warning.ts';
import type { LabelFilter, LabelRewrite, RouteRule, RouteTarget } from './rule.ts';

/**
 * The rules of a `<route>` or `<default-route>` that the schema accepted. What is malformed is skipped
 * here, the schema has listed it already. Filters that hide one another are noted in `warnings`.
 */
export function parseRoute(route: ConfigNode, warnings: ConfigWarning[]): RouteRule[] {
  const rules: RouteRule[] = [];
  for (const node of route.children) {
    const isAny = node.type === 'any-service';
    const service = node.value('name');
    if (!isAny && (node.type !== 'service' || service === undefined || !validName(service))) continue;
    rules.push({
      service: isAny ? undefined : service,
      filter: parseFilter(node, warnings),
      targets: node.children.flatMap(parseTarget),
      position: node.position,
    });
  }
  return rules;
}

const SCOPED_ATTRIBUTES = ['label', 'label_prefix', 'label_suffix'] as const;

function parseFilter(node: ConfigNode, warnings: ConfigWarning[]): LabelFilter | undefined {
  warnOfHidden(node, warnings);
  const filter: LabelFilter = {
    unscopedLabel: node.value('unscoped_label'),
    labelLast: node.value('label_last'),
    label: node.value('label')?.trim(),
    labelPrefix: node.value('label_prefix')?.trim(),
    labelSuffix: node.value('label_suffix')?.trim(),
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

function parseTarget(node: ConfigNode): RouteTarget[] {
  const { position } = node;
  switch (node.type) {
    case 'parent':
      return [{ kind: 'parent', rewrite: parseRewrite(node), position }];
    case 'any-child':
      return [{ kind: 'any-child', position }];
    case 'child': {
      const name = node.value('name');
      if (name === undefined) return [];
      const namePosition = node.positionOf('name');
      return [{ kind: 'child', name, namePosition, rewrite: parseRewrite(node), position }];
    }
    default:
      return [];
  }
}

function parseRewrite(node: ConfigNode): LabelRewrite {
  return {
    label: node.value('label'),
    identity: node.value('identity'),
    resource: node.value('resource'),
    prependResource: node.value('prepend_resource'),
  };
}
