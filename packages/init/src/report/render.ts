/**
 * The state report as a tree (reference: Genode's init, section 5 of our description of it). The
 * order of attributes and elements is Genode's, so that texts can be compared.
 */
import { ConfigNode, formatBytes } from '@ginit/core/config';
import type { SessionArguments } from '@ginit/core/system';
import type { ReportOptions } from '../model/index.ts';
import type { ChildReport, SandboxReport, SessionStanding } from './state.ts';
import { phaseText } from './vocabulary.ts';

/** One kind of quota of one account: `quota`, `used` and `avail`. */
interface Purse {
  readonly quota: number;
  readonly used: number;
}

const asBytes = formatBytes;
const asNumber = (amount: number): string => `${amount}`;

/** The report of a sandbox, with the parts that `options` asks for. */
export function stateNode(state: SandboxReport, options: ReportOptions): ConfigNode {
  const { version, account, children } = state;
  const parts: ConfigNode[] = [];
  if (options.initRam && account) {
    const purse = { quota: account.ramQuota, used: account.ramUsed };
    parts.push(ConfigNode.make('ram', purseAttributes(purse, asBytes)));
  }
  if (options.initCaps && account) {
    const purse = { quota: account.capQuota, used: account.capUsed };
    parts.push(ConfigNode.make('caps', purseAttributes(purse, asNumber)));
  }
  for (const child of children) parts.push(childNode(child, options));
  return ConfigNode.make('state', { version }, parts);
}

function childNode(child: ChildReport, options: ReportOptions): ConfigNode {
  const { name, binary, version, id, incomplete, exited, skippedHeartbeats, why } = child;
  const attributes = {
    name,
    binary,
    version,
    id: options.ids ? id : undefined,
    state: incomplete ? 'incomplete' : undefined,
    exited,
    skipped_heartbeats: skippedHeartbeats > 0 ? skippedHeartbeats : undefined,
    why: options.why ? why : undefined,
  };
  return ConfigNode.make('child', attributes, [
    ...quotaNodes(child, options),
    ...sessionNodes(child, options),
  ]);
}

function quotaNodes({ assigned, account, wanted }: ChildReport, options: ReportOptions): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  if (options.childRam) {
    const purse = account && { quota: account.ramQuota, used: account.ramUsed };
    nodes.push(quotaNode('ram', assigned.ram, purse, wanted.ram, asBytes));
  }
  if (options.childCaps) {
    const purse = account && { quota: account.capQuota, used: account.capUsed };
    nodes.push(quotaNode('caps', assigned.caps, purse, wanted.caps, asNumber));
  }
  return nodes;
}

function quotaNode(
  type: 'ram' | 'caps',
  assigned: number,
  purse: Purse | undefined,
  wanted: number,
  text: (amount: number) => string,
): ConfigNode {
  return ConfigNode.make(type, {
    assigned: text(assigned),
    ...(purse && purseAttributes(purse, text)),
    requested: wanted > 0 ? text(wanted) : undefined,
  });
}

function purseAttributes({ quota, used }: Purse, text: (amount: number) => string): Record<string, string> {
  return { quota: text(quota), used: text(used), avail: text(Math.max(0, quota - used)) };
}

function sessionNodes({ requested, provided }: ChildReport, options: ReportOptions): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  const list = (type: string, sessions: readonly SessionStanding[]): void => {
    const content = sessions.map((session) => sessionNode(session, options));
    nodes.push(ConfigNode.make(type, {}, content));
  };
  if (options.requested) list('requested', requested);
  if (options.provided) list('provided', provided);
  return nodes;
}

function sessionNode(session: SessionStanding, { vocabulary, sessionArgs }: ReportOptions): ConfigNode {
  const { service, label, phase, donation } = session;
  const state = phaseText(phase, vocabulary);
  const quota = { ram: formatBytes(donation.ram), caps: donation.caps };
  const attributes =
    vocabulary === '24.08' ? { service, label, state, ...quota } : { name: service, state, label, ...quota };
  const args = sessionArgs ? [ConfigNode.make('args', {}, argumentsText(session))] : [];
  return ConfigNode.make('session', attributes, args);
}

/** The arguments as Genode writes them: its own first, then those of the service. */
function argumentsText({ label, donation, args }: SessionStanding): string {
  const own = [`ram_quota=${donation.ram}`, `cap_quota=${donation.caps}`, `label=${quoted(label)}`];
  const more = Object.entries(args).map(([name, value]) => `${name}=${argumentText(value)}`);
  return [...own, ...more].join(', ');
}

function argumentText(value: SessionArguments[string]): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      return `${value}`;
    case 'boolean':
      return value ? 'yes' : 'no';
  }
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
