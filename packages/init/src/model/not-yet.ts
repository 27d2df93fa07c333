import type { ConfigNode } from '@ginit/core/config';
import type { ConfigWarning } from '../warning.ts';

/*
 * Parts of init's configuration that are valid but that this version does not act on. Nobody shall
 * believe that a heartbeat watches over their component when none does, so each of these parts gets
 * a warning. When one of them is made to work, delete it here.
 */

interface Inert {
  readonly attributes: readonly string[];
  readonly elements: readonly string[];
}

const INERT_IN_CONFIG: Inert = {
  attributes: ['version', 'ld_verbose', 'generate_xml'],
  elements: ['report', 'heartbeat', 'service'],
};

const INERT_IN_START: Inert = {
  attributes: ['managing_system', 'ld', 'node'],
  elements: ['heartbeat'],
};

/** The warnings for all parts of an init configuration that have no effect yet. */
export function notYetWarnings(config: ConfigNode): ConfigWarning[] {
  const starts = config.childrenOf('start');
  return [...inertIn(config, INERT_IN_CONFIG), ...starts.flatMap((start) => inertIn(start, INERT_IN_START))];
}

function inertIn(node: ConfigNode, inert: Inert): ConfigWarning[] {
  const warnings: ConfigWarning[] = [];
  for (const name of inert.attributes) {
    if (!node.has(name)) continue;
    const text = `attribute "${name}" of <${node.type}> has no effect yet`;
    warnings.push({ text, position: node.positionOf(name) });
  }
  for (const child of node.children) {
    if (!inert.elements.includes(child.type)) continue;
    warnings.push({ text: `<${child.type}> has no effect yet`, position: child.position });
  }
  return warnings;
}
