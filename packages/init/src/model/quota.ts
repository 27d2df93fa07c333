import type { ConfigNode } from '@ginit/core';
import type { InitConfig } from './init-config.ts';
import { bytesOf, type Findings, integerOf } from './reading.ts';

/*
 * Quotas of a start node. Of old they were `<resource name="RAM" quantum="8M"/>`, today they are the
 * attributes `ram` and `caps`. As in Genode the old form wins if both are there, with a warning. Without
 * either the `<default>` counts; without that the start node cannot work.
 */

/** Reads both quotas of a start node; what is missing everywhere is noted as an error and counts as 0. */
export function readQuota(
  start: ConfigNode,
  name: string,
  defaults: InitConfig['defaults'],
  findings: Findings,
): { ram: number; caps: number } {
  const ram = resourceOf(start, 'RAM', 'ram', findings) ?? bytesOf(start, 'ram') ?? defaults.ram;
  const caps = resourceOf(start, 'CAP', 'caps', findings) ?? integerOf(start, 'caps') ?? defaults.caps;
  if (ram === undefined && !mentions(start, 'RAM', 'ram')) {
    const text = `start node "${name}" has no ram quota (add ram="4M" or a <default ram="4M"/>)`;
    findings.errors.push(start.errorAt(text));
  }
  if (caps === undefined && !mentions(start, 'CAP', 'caps')) {
    const text = `start node "${name}" has no caps quota (add caps="100" or a <default caps="100"/>)`;
    findings.errors.push(start.errorAt(text));
  }
  return { ram: ram ?? 0, caps: caps ?? 0 };
}

function resourceOf(
  start: ConfigNode,
  resource: 'RAM' | 'CAP',
  attribute: 'ram' | 'caps',
  findings: Findings,
): number | undefined {
  const [node, second] = start.childrenOf('resource').filter((child) => child.value('name') === resource);
  if (second !== undefined)
    findings.errors.push(second.errorAt(`a second <resource name="${resource}"> in <start>`));
  if (node !== undefined && start.has(attribute)) {
    const text = `attribute "${attribute}" of <start> is not looked at beside <resource name="${resource}">`;
    findings.warnings.push({ text, position: start.positionOf(attribute) });
  }
  return bytesOf(node, 'quantum');
}

/** Whether a quota was written, be it malformed: then that error is enough. */
function mentions(start: ConfigNode, resource: string, attribute: string): boolean {
  return start.has(attribute) || start.childrenOf('resource').some((node) => node.value('name') === resource);
}

/** What init keeps for itself unless told otherwise: Genode's figures for 64-bit machines. */
export const PRESERVE_DEFAULT = { ram: 320 * 1024, caps: 20 } as const;

/** Reads what init keeps for itself from the top-level `<resource>` nodes. */
export function readPreserve(config: ConfigNode): { ram: number; caps: number } {
  const preserved = (resource: string) => {
    const node = config.childrenOf('resource').find((child) => child.value('name') === resource);
    return bytesOf(node, 'preserve');
  };
  return {
    ram: preserved('RAM') ?? PRESERVE_DEFAULT.ram,
    caps: preserved('CAP') ?? PRESERVE_DEFAULT.caps,
  };
}
