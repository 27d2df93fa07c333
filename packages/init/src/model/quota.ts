import type { InitConfig } from './init-config.ts';
import type { Findings } from './reading.ts';
import type { InitReading, StartReading } from './schema.ts';

/*
 * The quotas of a start node. The old spelling was `<resource name="RAM" quantum="8M"/>`; the
 * current one is the attributes `ram` and `caps`. As in Genode the old spelling wins if both are
 * there, with a warning. Without either the `<default>` counts; without that the start node cannot
 * work.
 */

/**
 * Reads both quotas of a start node. A quota that is missing everywhere is noted as an error and
 * counts as 0.
 */
export function readQuota(
  start: StartReading,
  name: string,
  defaults: InitConfig['defaults'],
  findings: Findings,
): { ram: number; caps: number } {
  const ram = resourceOf(start, 'RAM', 'ram', findings) ?? start.ram ?? defaults.ram;
  const caps = resourceOf(start, 'CAP', 'caps', findings) ?? start.caps ?? defaults.caps;
  if (ram === undefined && !mentions(start, 'RAM', 'ram')) {
    const text = `start node "${name}" has no ram quota (add ram="4M" or a <default ram="4M"/>)`;
    findings.errors.push(start.$node.errorAt(text));
  }
  if (caps === undefined && !mentions(start, 'CAP', 'caps')) {
    const text = `start node "${name}" has no caps quota (add caps="100" or a <default caps="100"/>)`;
    findings.errors.push(start.$node.errorAt(text));
  }
  return { ram: ram ?? 0, caps: caps ?? 0 };
}

function resourceOf(
  start: StartReading,
  resource: 'RAM' | 'CAP',
  attribute: 'ram' | 'caps',
  findings: Findings,
): number | undefined {
  const [node, second] = start.$children.resource.filter(({ name }) => name === resource);
  if (second !== undefined)
    findings.errors.push(second.$node.errorAt(`a second <resource name="${resource}"> in <start>`));
  if (node !== undefined && start.$node.has(attribute)) {
    const text = `attribute "${attribute}" of <start> is not looked at beside <resource name="${resource}">`;
    findings.warnings.push({ text, position: start.$node.positionOf(attribute) });
  }
  return node?.quantum;
}

/**
 * Whether a quota was written at all, even if malformed. A malformed quota is an error already, so
 * no second one is added.
 */
function mentions(start: StartReading, resource: string, attribute: string): boolean {
  return start.$node.has(attribute) || start.$children.resource.some(({ name }) => name === resource);
}

/**
 * The quota that init keeps for itself unless told otherwise. The figures are Genode's for 64-bit
 * machines.
 */
export const PRESERVE_DEFAULT = { ram: 320 * 1024, caps: 20 } as const;

/** Reads the quota that init keeps for itself from the top-level `<resource>` nodes. */
export function readPreserve(config: InitReading): { ram: number; caps: number } {
  const preserved = (resource: string) =>
    config.$children.resource.find(({ name }) => name === resource)?.preserve;
  return {
    ram: preserved('RAM') ?? PRESERVE_DEFAULT.ram,
    caps: preserved('CAP') ?? PRESERVE_DEFAULT.caps,
  };
}
