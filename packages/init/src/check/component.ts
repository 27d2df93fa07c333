import { ConfigNode, didYouMean, quotedList, shown, validate } from '@ginit/core/config';
import { grantCovers, grantText, type HostGrantKind } from '@ginit/core/host';
import type { InitConfig, StartNode } from '../model/index.ts';
import type { ManifestFacts } from './facts.ts';
import type { CheckFindings } from './findings.ts';
import { configRoute } from './requests.ts';
import type { Scope } from './scope.ts';

/*
 * Checks that a start node fits the manifest of its component: the services that it declares, the
 * grants that it gives of the host, and the configuration that it hands over.
 */

/** `<provides>` may name less than the component can, never more. */
export function checkProvides(start: StartNode, provides: readonly string[], findings: CheckFindings): void {
  for (const { name, position } of start.provides) {
    if (provides.includes(name)) continue;
    const hint = didYouMean(name, provides);
    const known = provides.length === 0 ? 'no service' : `only ${quotedList(provides)}`;
    const text = `component ${shown(start.binary.name)} does not provide service "${name}"`;
    findings.error(text + (hint === '' ? ` (it provides ${known})` : hint), position);
  }
}

/**
 * Every grant that the manifest asks for must be in the start node. A grant that the manifest does
 * not ask for is a warning, because it would never be used.
 */
export function checkHost(
  start: StartNode,
  { host: needed, mayHost = [] }: Pick<ManifestFacts, 'host' | 'mayHost'>,
  findings: CheckFindings,
): void {
  for (const kind of needed) {
    if (start.host.some((grant) => grant.kind === kind)) continue;
    const grant = `<host>${grantForm(kind)}</host>`;
    const text = `component ${shown(start.binary.name)} needs ${grant}, which the start node does not grant`;
    findings.error(text, start.position);
  }
  for (const { kind, position } of start.host) {
    if (needed.includes(kind) || mayHost.includes(kind)) continue;
    findings.warn(`component ${shown(start.binary.name)} does not ask for ${grantForm(kind)}`, position);
  }
}

/**
 * Warns of policies that look at nothing but the end of a label. The client chooses that end
 * itself, so such a policy lets in every client whose request gets here.
 */
export function checkPolicies(start: StartNode, findings: CheckFindings): void {
  if (start.provides.length === 0) return;
  for (const policy of start.config?.childrenOf('policy') ?? []) {
    if (!policy.has('label_suffix') || policy.has('label_prefix') || policy.has('label')) continue;
    const text = 'a <policy> by "label_suffix" alone trusts what the client chose as the end of its label';
    findings.warn(`${text} (add a label_prefix, or label)`, policy.positionOf('label_suffix'));
  }
}

/** A nested init can give its children only what its own start node grants. */
export function checkHandedOn(above: StartNode, config: InitConfig, findings: CheckFindings): void {
  for (const start of config.starts) {
    for (const grant of start.host) {
      if (above.host.some((held) => grantCovers(held, grant))) continue;
      const text = `start node "${above.name}" has no ${grantText(grant)} to hand on to "${start.name}"`;
      findings.error(`${text} (add it to the <host> of "${above.name}")`, grant.position);
    }
  }
}

function grantForm(kind: HostGrantKind): string {
  switch (kind) {
    case 'file':
    case 'directory':
    case 'device':
    case 'program':
    case 'mount':
      return `<${kind} .../>`;
    case 'tcp-listen':
    case 'tcp-connect':
    case 'unix-listen':
    case 'unix-connect':
      return `<${kind.replace('-', ' ')}=.../>`;
  }
}

/**
 * The inline `<config>` must fit the component's schema; without one, an empty one must, unless a
 * server provides it.
 */
export function checkChildConfig(
  scope: Scope,
  start: StartNode,
  { configSchema }: ManifestFacts,
  findings: CheckFindings,
): void {
  if (configSchema === undefined) return;
  if (start.config !== undefined) {
    for (const { text, position } of validate(start.config, configSchema)) findings.error(text, position);
    return;
  }
  const { kind } = configRoute(scope, start);
  const isFromRoot = scope.above === undefined && kind !== 'child' && kind !== 'local';
  const [error] = isFromRoot ? validate(ConfigNode.empty('config'), configSchema) : [];
  if (error === undefined) return;
  const component = `component ${shown(start.binary.name)}`;
  const text = `start node "${start.name}" has no <config>, which ${component} needs`;
  findings.error(`${text}: ${error.text}`, start.position);
}
