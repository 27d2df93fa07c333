/** Reads a config file and checks all that can be checked before anything starts. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, type ConfigNode, type Position } from '@ginit/core';
import { CoreServices, readManifests, type ResolvedBinary } from '@ginit/core/supervisor';
import {
  binariesOf,
  checkConfig,
  type ManifestFacts,
  manifestFactsFromData,
  startsOf,
} from '../check/index.ts';
import {
  type ConfigWarning,
  formatWarning,
  type InitConfig,
  type Quota,
  readInitConfig,
} from '../model/index.ts';
import { readXml } from '../xml/index.ts';
import { hostLimits } from './host-limits.ts';
import { Binaries } from './binaries.ts';
import { ComponentImports } from './component-imports.ts';
import { findForbidden, type ForbiddenImport } from './imports/index.ts';

/** A config, and all that is wrong with it. */
export interface CheckedConfig {
  readonly node: ConfigNode | undefined;
  readonly config: InitConfig | undefined;
  /** What it names to be started, by name. */
  readonly binaries: ReadonlyMap<string, ResolvedBinary>;
  /** What its components import. */
  readonly imports: ComponentImports;
  /** In the order of the document; with any, nothing may be started. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads and checks `file`; `quota` is what the root of the tree will have. `readable` is told of a config in which nothing
 * is wrong as far as that can be seen without its components; then these are looked at.
 */
export async function readCheckedConfig(
  file: string,
  quota: Quota,
  readable: (config: InitConfig) => void = () => {},
): Promise<CheckedConfig> {
  const imports = new ComponentImports();
  const failed = (errors: readonly string[]): CheckedConfig => ({
    node: undefined,
    config: undefined,
    binaries: new Map(),
    imports,
    errors,
    warnings: [],
  });
  let source: Uint8Array;
  try {
    source = readFileSync(file);
  } catch (error) {
    return failed([`ginit: cannot read ${file}: ${systemReason(error)}`]);
  }
  let node: ConfigNode;
  try {
    node = readXml(source, file);
  } catch (error) {
    if (error instanceof ConfigError) return failed([error.message]);
    throw error;
  }
  const reading = readInitConfig(node);
  const finding = readComponents(reading.config, new Binaries(dirname(file)), imports);
  if (reading.errors.length === 0) readable(reading.config);
  const found = await finding;
  const parentServices = CoreServices.names;
  const options = { quota, parentServices, host: hostLimits() };
  const checked = checkConfig(reading.config, found.manifests, options);
  const errors = [...reading.errors, ...found.errors, ...checked.errors];
  const warnings = [...reading.warnings, ...found.warnings, ...checked.warnings];
  return {
    node,
    config: reading.config,
    binaries: found.binaries,
    imports,
    errors: inOrder(errors).map(({ message }) => message),
    warnings: inOrder(warnings).map(formatWarning),
  };
}

interface ReadComponents {
  /** By the path of the start node. */
  readonly manifests: Map<string, ManifestFacts>;
  readonly binaries: Map<string, ResolvedBinary>;
  readonly errors: ConfigError[];
  readonly warnings: ConfigWarning[];
}

async function readComponents(
  config: InitConfig,
  binaries: Binaries,
  imports: ComponentImports,
): Promise<ReadComponents> {
  const result: ReadComponents = { manifests: new Map(), binaries: new Map(), errors: [], warnings: [] };
  const modules: { moduleUrl: string; name: string; position: Position }[] = [];
  for (const { name, position } of binariesOf(config)) {
    const found = binaries.find(name);
    if ('problem' in found) result.errors.push(new ConfigError(found.problem, position));
    else modules.push({ moduleUrl: found.moduleUrl, name, position });
  }
  const reading = readManifests(modules.map(({ moduleUrl }) => moduleUrl));
  // Meanwhile: another process does that.
  for (const { name, moduleUrl } of modules) result.binaries.set(name, imports.binary(moduleUrl));
  const answers = await reading;
  const factsOf = new Map<string, ManifestFacts>();
  for (const { moduleUrl, name, position } of modules) {
    const answer = answers.get(moduleUrl) ?? { problem: 'its manifest was not read' };
    try {
      if ('problem' in answer) throw new Error(answer.problem);
      const facts = manifestFactsFromData(answer.manifest);
      factsOf.set(name, facts);
      const found = mayImportHost(config, name, facts) ? undefined : findForbidden(imports.of(moduleUrl));
      if (found) result.errors.push(forbiddenImport(name, found, position));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      result.errors.push(new ConfigError(`component "${name}" cannot be used: ${reason}`, position));
    }
  }
  for (const { path, start } of startsOf(config)) {
    const facts = factsOf.get(start.binary.name);
    if (facts) result.manifests.set(path, facts);
  }
  return result;
}

/**
 * Whether the one rule does not hold for a component: it is a driver, and every start node that runs it grants it something. Who
 * is started by another component is looked at when it is (`ResolvedBinary.needsGrant`).
 */
function mayImportHost(config: InitConfig, binary: string, facts: ManifestFacts): boolean {
  const asked = [...facts.host, ...(facts.mayHost ?? [])];
  const starts = startsOf(config).filter(({ start }) => start.binary.name === binary);
  return asked.length > 0 && starts.every(({ start }) => start.host.some(({ kind }) => asked.includes(kind)));
}

function forbiddenImport(
  name: string,
  { what, file, line, column }: ForbiddenImport,
  position: Position,
): ConfigError {
  const rule = 'a component reaches the world through env only (a driver says what it needs in its manifest)';
  return new ConfigError(`component "${name}" ${what} at ${file}:${line}:${column}: ${rule}`, position);
}

function inOrder<T extends { readonly position: Position }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
}

function systemReason(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return typeof code === 'string' ? code : 'it cannot be read';
  }
}
