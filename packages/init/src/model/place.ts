/** Reads which machine of a cluster a child runs on: `node`, `<node label>` and `<attach>`. */
import { shown } from '@ginit/core/config';
import { ANY_NODE, LIMITS, type PlaceDemand } from '@ginit/core/system';
import type { HostGrant } from './init-config.ts';
import type { Findings } from './reading.ts';
import type { StartReading } from './schema.ts';

/** The name that stands for the code of a child that is attached from elsewhere. */
export const ATTACHED = 'attached code';

/** The names of nodes, and their labels: words, the latter also `KEY=VALUE`. */
const NODE_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const LABEL = /^[A-Za-z0-9_.-]{1,31}(?:=[A-Za-z0-9_.-]{1,31})?$/;
/** A public nkey of a user. */
const PUBLIC_KEY = /^U[A-Z2-7]{55}$/;

/** Whether a node can have this name. */
export const isNodeName = (name: string): boolean => NODE_NAME.test(name) && name !== ANY_NODE;

/** Whether a node can have this label. */
export const isNodeLabel = (label: string): boolean => LABEL.test(label);

/** Whether a start node lets its child run on another machine. */
export function isElsewhere({ node, $children: { node: labels, attach } }: StartReading): boolean {
  return node !== undefined || labels.length > 0 || attach !== undefined;
}

/** The place of a child; `undefined` for the machine of who starts it. */
export function readPlace(
  start: StartReading,
  host: readonly HostGrant[],
  findings: Findings,
): PlaceDemand | undefined {
  if (!isElsewhere(start)) return undefined;
  const { node, $node: at, $children: parts } = start;
  const wrong = (text: string, attribute?: string): void =>
    void findings.errors.push(at.errorAt(text, attribute));
  if (start.isolation === 'thread')
    wrong('isolation="thread" is refused: on another machine a child has a process of its own', 'isolation');
  if (start.domain !== undefined)
    wrong('a domain is refused: on another machine a child has a process of its own', 'domain');
  if (start.jail === 'no') wrong('jail="no" is refused: what runs on another machine is jailed', 'jail');
  if (parts.attach) return readAttach(start, host, findings);
  if (node !== undefined && node !== ANY_NODE && !isNodeName(node))
    wrong(`attribute "node" of <start> is ${shown(node)}, which is no name of a node`, 'node');
  if (node !== undefined && node !== ANY_NODE && parts.node.length > 0)
    wrong('a <node> with a label contradicts the name of a node: node="any", or none', 'node');
  const labels = parts.node.flatMap(({ label, $node }) => {
    if (label === undefined) return [];
    if (isNodeLabel(label)) return [label];
    const text = `attribute "label" of <node> is ${shown(label)}, and not a word or KEY=VALUE`;
    findings.errors.push($node.errorAt(text, 'label'));
    return [];
  });
  if (labels.length > LIMITS.nodeLabels) wrong(`more than ${LIMITS.nodeLabels} labels`);
  return { node: node ?? ANY_NODE, labels };
}

function readAttach(
  { node, $node: at, $children: parts }: StartReading,
  host: readonly HostGrant[],
  findings: Findings,
): PlaceDemand | undefined {
  const { attach } = parts;
  if (!attach) return undefined;
  if (node !== undefined || parts.node.length > 0)
    findings.errors.push(attach.$node.errorAt('<attach> contradicts a node beside it'));
  const [grant] = host;
  if (grant) {
    const text = 'whoever attaches a child has a host of his own: <host> is refused beside <attach>';
    findings.errors.push(at.errorAt(text));
  }
  const { key, $node } = attach;
  if (key === undefined) return undefined;
  if (!PUBLIC_KEY.test(key)) {
    const text = `attribute "key" of <attach> is ${shown(key)}, and not a public key (U..., "ginit key show")`;
    findings.errors.push($node.errorAt(text, 'key'));
    return undefined;
  }
  return { node: '', labels: [], attach: key };
}
