import { type ConfigNode, type JailDemand, shown } from '@ginit/core';
import { childNameProblem } from '@ginit/core';
import { parseRoute } from '../routing/parse.ts';
import { readAllowances } from './allow.ts';
import { readAffinity } from './affinity.ts';
import { readHostGrants } from './host.ts';
import type {
  InitConfig,
  Isolation,
  NamedPlace,
  RestartBudget,
  StartNode,
  StepBounds,
} from './init-config.ts';
import { hasOwnProcess, isDriver, type Placed } from './start-cost.ts';
import { readQuota } from './quota.ts';
import { booleanOf, bytesOf, type Findings, integerOf, servicesOf } from './reading.ts';

/** What of the rest of the configuration a start node depends on. */
export interface StartSurroundings {
  readonly defaults: InitConfig['defaults'];
  readonly affinitySpace: InitConfig['affinitySpace'];
  readonly hasAffinitySpace: boolean;
  readonly prioLevels: number;
  readonly stepBounds: StepBounds;
  /** Of processes of children that say nothing themselves. */
  readonly jail: JailDemand;
}

/** A domain is named as a child is: the name stands in labels of processes, and in what people read. */
function readDomain(node: ConfigNode, findings: Findings): string | undefined {
  const domain = node.value('domain');
  const problem = domain === undefined ? undefined : childNameProblem(domain);
  if (domain === undefined || problem === undefined) return domain;
  findings.errors.push(
    node.errorAt(`attribute "domain" of <start> is ${shown(domain)}, ${problem}`, 'domain'),
  );
  return undefined;
}

/** Reads a `<start>`; `undefined` if it has no name, or none that can be used. */
export function readStart(
  node: ConfigNode,
  around: StartSurroundings,
  findings: Findings,
): StartNode | undefined {
  const name = node.value('name');
  if (name === undefined) return undefined;
  const problem = childNameProblem(name);
  if (problem !== undefined) {
    findings.errors.push(node.errorAt(`attribute "name" of <start> is ${shown(name)}, ${problem}`, 'name'));
    return undefined;
  }
  const route = node.child('route');
  const host = readHostGrants(node.child('host'), findings);
  const binary = readBinary(node, name, findings);
  const isolation = readIsolation(node);
  const domain = readDomain(node, findings);
  const placed = { isolation, domain, host, binary };
  const jail = readJail(node, placed, around, findings);
  return {
    name,
    version: node.value('version'),
    ...readQuota(node, name, around.defaults, findings),
    heap: bytesOf(node, 'heap'),
    priority: readPriority(node, around.prioLevels, findings),
    managingSystem: booleanOf(node, 'managing_system', false),
    usesLinker: booleanOf(node, 'ld', true),
    isolation,
    jail,
    confines:
      node.value('isolation') === 'jail' ||
      (binary.name !== 'init' && hasOwnProcess(placed) && jail !== 'no'),
    domain,
    node: node.value('node'),
    ramLimit: bytesOf(node, 'ram_limit'),
    binary,
    provides: servicesOf(node.child('provides'), findings),
    route: route === undefined ? undefined : parseRoute(route, findings.warnings),
    config: node.child('config'),
    exitPropagate: booleanOf(node.child('exit'), 'propagate', false),
    restart: readRestart(node.child('restart')),
    host,
    hostDepth: integerOf(node.child('host'), 'depth'),
    allowances: readAllowances(node, findings),
    affinity: readAffinity(node, around, findings),
    heartbeat: readHeartbeat(node.child('heartbeat')),
    stepBounds: readStepBounds(node, around.stepBounds),
    position: node.position,
  };
}

function readBinary(start: ConfigNode, startName: string, findings: Findings): NamedPlace {
  const node = start.child('binary');
  const name = node?.value('name');
  if (node === undefined || name === undefined)
    return { name: startName, position: start.positionOf('name') };
  if (name === '') findings.errors.push(node.errorAt('attribute "name" of <binary> is empty', 'name'));
  return { name, position: node.positionOf('name') };
}

function readIsolation(start: ConfigNode): Isolation | undefined {
  const isolation = start.value('isolation');
  if (isolation === 'jail') return 'process';
  return isolation === 'thread' || isolation === 'process' ? isolation : undefined;
}

function readJail(
  start: ConfigNode,
  placed: Placed,
  around: StartSurroundings,
  findings: Findings,
): JailDemand {
  const isolation = start.value('isolation');
  const jail = start.value('jail');
  if (isolation === 'jail') {
    if (jail === 'no') findings.errors.push(start.errorAt('jail="no" contradicts isolation="jail"', 'jail'));
    return 'required';
  }
  if (jail === 'no') return 'no';
  if (jail === 'required' || around.jail === 'required') {
    const problem = unjailable(placed);
    const whose = jail === 'required' ? 'jail="required"' : 'jail="required" of <config>';
    const remedy = jail === 'required' ? '' : ', or jail="no" here';
    if (problem !== undefined) {
      findings.errors.push(
        start.errorAt(`${problem.what}: ${whose} takes ${problem.takes}${remedy}`, 'jail'),
      );
    }
    return 'required';
  }
  return isDriver(placed) ? 'no' : around.jail;
}

/** Why it cannot be jailed on any host, and what that would take. */
function unjailable(placed: Placed): { readonly what: string; readonly takes: string } | undefined {
  if (!hasOwnProcess(placed)) return { what: 'a thread cannot be jailed', takes: 'isolation="process"' };
  if (isDriver(placed) && placed.host.some(({ kind }) => kind === 'program')) {
    return { what: 'who starts programs cannot be jailed', takes: 'a <host> without <program>' };
  }
  return undefined;
}

/** Written as 0 or less, kept as 0 or more; clamped to the levels that there are. */
function readPriority(start: ConfigNode, prioLevels: number, findings: Findings): number {
  const priority = Math.max(0, -(integerOf(start, 'priority') ?? 0));
  if (priority < prioLevels) return priority;
  const position = start.positionOf('priority');
  if (prioLevels === 1) {
    const text = 'attribute "priority" of <start> means nothing: <config> has no prio_levels of 2 or more';
    findings.warnings.push({ text, position });
    return 0;
  }
  const used = `the least urgent of ${prioLevels} levels is used`;
  const text = `attribute "priority" of <start> is ${-priority}, ${used}`;
  findings.warnings.push({ text, position });
  return prioLevels - 1;
}

function readRestart(node: ConfigNode | undefined): RestartBudget | undefined {
  if (node === undefined) return undefined;
  return { max: integerOf(node, 'max') ?? 3, periodS: integerOf(node, 'period_s') ?? 60 };
}

/** Attributes of `<config>` or of a `<start>`. */
export function readStepBounds(node: ConfigNode, fallback: StepBounds): StepBounds {
  return {
    boundMs: integerOf(node, 'step_bound_ms') ?? fallback.boundMs,
    ceilingMs: integerOf(node, 'step_ceiling_ms') ?? fallback.ceilingMs,
  };
}

function readHeartbeat(node: ConfigNode | undefined): StartNode['heartbeat'] {
  if (node === undefined) return undefined;
  return { restartAfterSkipped: integerOf(node, 'restart_after_skipped') ?? 0 };
}
