import type { ForwardedService, ForwardingPolicy } from './init-config.ts';
import type { Findings } from './reading.ts';
import type { InitReading } from './schema.ts';

type ServiceReading = InitReading['$children']['service'][number];
type PolicyReading = ServiceReading['$children']['policy'][number];
type DefaultReading = NonNullable<ServiceReading['$children']['default-policy']>;

/**
 * The services that init offers to its parent. `aliases` are other names of children. A second
 * `<service>` with the same name is noted as an error and left out.
 */
export function readForwardedServices(
  services: readonly ServiceReading[],
  aliases: ReadonlyMap<string, string>,
  findings: Findings,
): ForwardedService[] {
  const read = new Map<string, ForwardedService>();
  for (const { name, $node, $children } of services) {
    if (name === undefined) continue;
    const position = $node.positionOf('name');
    if (read.has(name)) {
      findings.errors.push($node.errorAt(`a second <service name="${name}"> in <config>`, 'name'));
      continue;
    }
    const policy = $children.policy.flatMap((one) => readPolicy(one, one, aliases));
    const [fallback] = readPolicy($children['default-policy'], {}, aliases);
    read.set(name, { name, position, $children: { policy, 'default-policy': fallback } });
  }
  return [...read.values()];
}

function readPolicy(
  reading: PolicyReading | DefaultReading | undefined,
  selection: Partial<Pick<PolicyReading, 'label' | 'label_prefix' | 'label_suffix'>>,
  aliases: ReadonlyMap<string, string>,
): ForwardingPolicy[] {
  const target = reading?.$children.child;
  if (target?.name === undefined) return [];
  const { name, label, $node } = target;
  return [
    {
      label: selection.label,
      label_prefix: selection.label_prefix,
      label_suffix: selection.label_suffix,
      child: { name: aliases.get(name) ?? name, position: $node.positionOf('name') },
      childLabel: label,
    },
  ];
}
