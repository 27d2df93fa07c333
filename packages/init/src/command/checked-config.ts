/** Reads a config file and checks all that can be checked before anything starts. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  ConfigError,
  type ConfigNode,
  type Position,
  readNode,
  runtimeDifference,
  sharing,
} from '@ginit/core/config';
import { SupervisorServices } from '@ginit/core/supervisor';
import { checkConfig, type ManifestFacts } from '../check/index.ts';
import { formatWarning, type InitConfig, type Quota, readInitConfig } from '../model/index.ts';
import { GrantTargets } from './grant-targets.ts';
import { hostLimits } from './host-limits.ts';
import { Binaries, type NamedBinaries } from './binaries.ts';
import { ComponentImports } from './component-imports.ts';
import { readComponents } from './read-components.ts';
import { systemReason } from './system-reason.ts';

/** A config, with every error and warning that was found in it. */
export interface CheckedConfig {
  /** The file as it was read. */
  readonly source: Uint8Array;
  readonly node: ConfigNode | undefined;
  readonly config: InitConfig | undefined;
  /** The binaries that the config names to be started. */
  readonly binaries: NamedBinaries;
  /** The manifests of its components, by the paths of their start nodes. */
  readonly manifests: ReadonlyMap<string, ManifestFacts>;
  /** The import graphs of its components. */
  readonly imports: ComponentImports;
  /** The files that its grants lead to. */
  readonly targets: GrantTargets;
  /** The errors in the order of the document. If there is any, nothing may be started. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /**
   * Why manifests were read without a jail, in words for people; `undefined` if they were read in
   * one.
   */
  readonly lack: string | undefined;
}

/**
 * Reads and checks `file`; `quota` is the quota that the root of the tree will have. `readable` is
 * called once the config is free of errors as far as can be seen without its components; the
 * components are looked at after that. `text` stands in the place of the file's content if it is
 * given. From the check `before` it is taken over what was found in files that have not changed.
 */
export async function readCheckedConfig(
  file: string,
  quota: Quota,
  readable: (config: InitConfig) => void = () => {},
  text?: string | Uint8Array,
  before?: Pick<CheckedConfig, 'imports' | 'node'>,
): Promise<CheckedConfig> {
  const imports = new ComponentImports(dirname(file), before?.imports);
  const targets = new GrantTargets(dirname(file));
  let source = new Uint8Array();
  const failed = (errors: readonly string[]): CheckedConfig => ({
    source,
    node: undefined,
    config: undefined,
    binaries: { byName: new Map(), trusted: new Map(), absent: [] },
    manifests: new Map(),
    imports,
    targets,
    errors,
    warnings: [],
    lack: undefined,
  });
  try {
    source = contentOf(file, text);
  } catch (error) {
    return failed([`ginit: cannot read ${file}: ${systemReason(error)}`]);
  }
  let node: ConfigNode;
  try {
    node = sharing(before?.node, readNode(source, { name: file }));
  } catch (error) {
    if (error instanceof ConfigError) return failed([error.message]);
    throw error;
  }
  const difference = runtimeDifference(source, node);
  const reading = readInitConfig(node);
  const named = new Binaries(dirname(file));
  const finding = readComponents(reading.config, named, imports);
  if (reading.errors.length === 0) readable(reading.config);
  const found = await finding;
  const parentServices = SupervisorServices.names;
  const options = {
    quota,
    parentServices,
    host: hostLimits(),
    fileIdentity: (path: string) => targets.identityOf(path),
  };
  const checked = checkConfig(reading.config, found.manifests, options);
  const errors = [...reading.errors, ...found.errors, ...checked.errors];
  const warnings = [
    ...(difference ? [difference] : []),
    ...reading.warnings,
    ...found.warnings,
    ...checked.warnings,
  ];
  return {
    source,
    node,
    config: reading.config,
    binaries: { byName: found.byName, trusted: found.trusted, absent: named.absent },
    manifests: found.manifests,
    imports,
    targets,
    errors: inOrder(errors).map(({ message }) => message),
    warnings: inOrder(warnings).map(formatWarning),
    lack: found.lack,
  };
}

function contentOf(file: string, text: string | Uint8Array | undefined): Uint8Array<ArrayBuffer> {
  if (typeof text === 'string') return new TextEncoder().encode(text);
  return new Uint8Array(text ?? readFileSync(file));
}

function inOrder<T extends { readonly position: Position }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
}
