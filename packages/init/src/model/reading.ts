import {
  type ConfigError,
  ConfigNode,
  type ElementSchema,
  inspectConfig,
  type TolerantConfigOf,
} from '@ginit/core/config';
import type { NamedPlace } from './init-config.ts';
import type { InitReading } from './schema.ts';
import type { ConfigWarning } from '../warning.ts';

/** The lists into which the readers of the model put their findings. */
export interface Findings {
  readonly errors: ConfigError[];
  readonly warnings: ConfigWarning[];
}

/** The values of an element that is missing: the fallbacks of its schema. */
export function missing<Schema extends ElementSchema>(schema: Schema): TolerantConfigOf<Schema> {
  return inspectConfig(ConfigNode.empty(schema.type), schema).config;
}

type ServicesReading = Pick<NonNullable<InitReading['$children']['parent-provides']>, '$content'>;

/**
 * Reads the `<service name>` children of a `<parent-provides>` or `<provides>`. A service that
 * stands there twice is noted as a warning.
 */
export function servicesOf(provides: ServicesReading | undefined, findings: Findings): NamedPlace[] {
  const services = new Map<string, NamedPlace>();
  for (const { name, $node } of provides?.$content ?? []) {
    if (name === undefined) continue;
    const position = $node.positionOf('name');
    if (services.has(name)) {
      findings.warnings.push({ text: `service "${name}" is listed twice`, position });
    } else {
      services.set(name, { name, position });
    }
  }
  return [...services.values()];
}
