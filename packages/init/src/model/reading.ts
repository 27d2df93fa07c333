import {
  type ConfigError,
  type ConfigNode,
  parseBoolean,
  parseBytes,
  parseInteger,
  validName,
} from '@ginit/core';
import type { NamedPlace } from './init-config.ts';
import type { ConfigWarning } from './warning.ts';

/** Where the readers of the model put what they find. */
export interface Findings {
  readonly errors: ConfigError[];
  readonly warnings: ConfigWarning[];
}

/*
 * Readers that take a malformed value for a missing one: the schema has listed it as an error before, and
 * the model goes on so that everything else that is wrong is listed too.
 */

export function integerOf(node: ConfigNode | undefined, name: string): number | undefined {
  const text = node?.value(name);
  return text === undefined ? undefined : parseInteger(text);
}

export function bytesOf(node: ConfigNode | undefined, name: string): number | undefined {
  const text = node?.value(name);
  return text === undefined ? undefined : parseBytes(text);
}

export function booleanOf(node: ConfigNode | undefined, name: string, fallback: boolean): boolean {
  const text = node?.value(name);
  return (text === undefined ? undefined : parseBoolean(text)) ?? fallback;
}

/**
 * The `<service name>` children of a `<parent-provides>` or `<provides>`; one that stands twice is noted as
 * a warning.
 */
export function servicesOf(node: ConfigNode | undefined, findings: Findings): NamedPlace[] {
  const services = new Map<string, NamedPlace>();
  for (const service of node?.childrenOf('service') ?? []) {
    const name = service.value('name');
    if (name === undefined || !validName(name)) continue;
    const position = service.positionOf('name');
    if (services.has(name)) {
      findings.warnings.push({ text: `service "${name}" is listed twice`, position });
    } else {
      services.set(name, { name, position });
    }
  }
  return [...services.values()];
}
