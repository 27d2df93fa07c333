import {
  comparePositions,
  ConfigError,
  ConfigNode,
  formatPosition,
  type JailDemand,
  type Position,
  validate,
} from '@ginit/core';
import { parseRoute } from '../routing/parse.ts';
import type { Alias, ForwardedService, InitConfig, NamedPlace, ReportOptions } from './init-config.ts';
import { notYetWarnings } from './not-yet.ts';
import { readPreserve } from './quota.ts';
import { booleanOf, bytesOf, type Findings, integerOf, servicesOf } from './reading.ts';
import { initSchema } from './schema.ts';
import { readStart, readStepBounds, type StartSurroundings } from './start.ts';
import type { ConfigWarning } from './warning.ts';

/** A child that others wait for may get nothing done for a few seconds, and may take some minutes in all. */
const STEP_BOUNDS = { boundMs: 5000, ceilingMs: 300_000 };

/**
 * What was read of a configuration. With errors `config` is the part that could be made sense of: check it,
 * never run it.
 */
export interface InitConfigReading {
  readonly config: InitConfig;
  /** All errors, in the order of the document. */
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigWarning[];
}

/** Reads init's configuration from its tree. Lists all that is wrong, throws nothing. */
export function readInitConfig(node: ConfigNode): InitConfigReading {
  const errors = validate(node, initSchema);
  if (node.type !== initSchema.type) {
    const nothing = new ConfigNode(initSchema.type, { position: node.position });
    return { config: readTop(nothing, { errors: [], warnings: [] }), errors, warnings: [] };
  }
  const findings: Findings = { errors, warnings: notYetWarnings(node) };
  const config = readTop(node, findings);
  checkNames(config, findings);
  return {
    config,
    errors: findings.errors.toSorted((left, right) => comparePositions(left.position, right.position)),
    warnings: findings.warnings.toSorted((left, right) => comparePositions(left.position, right.position)),
  };
}

function readTop(node: ConfigNode, findings: Findings): InitConfig {
  const route = node.child('default-route');
  const space = node.child('affinity-space');
  const defaults = node.child('default');
  const around: StartSurroundings = {
    defaults: { ram: bytesOf(defaults, 'ram'), caps: integerOf(defaults, 'caps') },
    affinitySpace: { width: integerOf(space, 'width') || 1, height: integerOf(space, 'height') || 1 },
    hasAffinitySpace: space !== undefined,
    prioLevels: readPrioLevels(node, findings),
    stepBounds: readStepBounds(node, STEP_BOUNDS),
    jail: readDefaultJail(node),
  };
  return {
    node,
    version: node.value('version'),
    verbose: booleanOf(node, 'verbose', false),
    summary: booleanOf(node, 'summary', false),
    prioLevels: around.prioLevels,
    parentProvides: servicesOf(node.child('parent-provides'), findings),
    defaultRoute: route === undefined ? undefined : parseRoute(route, findings.warnings),
    defaults: around.defaults,
    preserve: readPreserve(node),
    affinitySpace: around.affinitySpace,
    report: readReport(node.child('report')),
    stepBounds: around.stepBounds,
    heartbeatRateMs: integerOf(node.child('heartbeat'), 'rate_ms') ?? 1000,
    starts: node.childrenOf('start').flatMap((start) => readStart(start, around, findings) ?? []),
    binaries: node.childrenOf('binary').flatMap(readNamedBinary),
    services: node.childrenOf('service').flatMap(readForwarded),
    aliases: node.childrenOf('alias').flatMap(readAlias),
  };
}

function readDefaultJail(node: ConfigNode): JailDemand {
  const jail = node.value('jail');
  return jail === 'no' || jail === 'required' ? jail : 'default';
}

function readPrioLevels(node: ConfigNode, findings: Findings): number {
  const levels = integerOf(node, 'prio_levels');
  if (levels === undefined || levels === 0) return 1;
  if (levels > 0 && Number.isInteger(Math.log2(levels))) return levels;
  const problem = 'which is no power of two: priorities are off';
  const text = `attribute "prio_levels" of <config> is ${levels}, ${problem}`;
  findings.warnings.push({ text, position: node.positionOf('prio_levels') });
  return 1;
}

function readReport(node: ConfigNode | undefined): ReportOptions | undefined {
  if (node === undefined) return undefined;
  return {
    ids: booleanOf(node, 'ids', false),
    requested: booleanOf(node, 'requested', false),
    provided: booleanOf(node, 'provided', false),
    sessionArgs: booleanOf(node, 'session_args', false),
    childRam: booleanOf(node, 'child_ram', false),
    childCaps: booleanOf(node, 'child_caps', false),
    initRam: booleanOf(node, 'init_ram', false),
    initCaps: booleanOf(node, 'init_caps', false),
    delayMs: integerOf(node, 'delay_ms') ?? 100,
    bufferBytes: bytesOf(node, 'buffer') ?? 4096,
  };
}

function readForwarded(node: ConfigNode): ForwardedService[] {
  const name = node.value('name');
  return name === undefined ? [] : [{ name, position: node.positionOf('name'), node }];
}

function readNamedBinary(node: ConfigNode): NamedPlace[] {
  const name = node.value('name');
  return name === undefined || name === '' ? [] : [{ name, position: node.positionOf('name') }];
}

function readAlias(node: ConfigNode): Alias[] {
  const name = node.value('name');
  const child = node.value('child');
  if (name === undefined || child === undefined) return [];
  return [
    { name, position: node.positionOf('name'), child: { name: child, position: node.positionOf('child') } },
  ];
}

/**
 * In Genode a second start node of the same name and version updates the first, without a word. That is
 * nearly always a copied node whose name was forgotten, so it is an error here, also when the versions
 * differ: routes could not tell the two apart.
 */
function checkNames(config: InitConfig, findings: Findings): void {
  const taken = new Map<string, Position>();
  const claim = ({ name, position }: NamedPlace, what: string) => {
    const first = taken.get(name);
    if (first === undefined) taken.set(name, position);
    else {
      const text = `${what} "${name}" is already defined at ${formatPosition(first)}`;
      findings.errors.push(new ConfigError(text, position));
    }
  };
  for (const start of config.starts) claim(start, 'start node');
  for (const alias of config.aliases) claim(alias, 'name');
}
