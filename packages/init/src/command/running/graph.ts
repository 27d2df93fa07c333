/**
 * The components of a system and the sessions between them, in the languages of Graphviz and
 * Mermaid.
 */
import type { SystemTree, TreeNode } from '../control/tree.ts';

/** The sessions of one client with one server, of one service. */
interface Edge {
  readonly client: string;
  readonly server: string;
  readonly service: string;
  readonly labels: readonly string[];
}

/** The sessions between components, those of one kind together. */
function edgesOf({ components }: SystemTree): readonly Edge[] {
  const edges = new Map<string, { edge: Edge; labels: string[] }>();
  for (const { label: client, sessions } of components) {
    for (const { server, service, label } of sessions) {
      if (server === undefined) continue;
      const key = JSON.stringify([client, server, service]);
      const known = edges.get(key) ?? { edge: { client, server, service, labels: [] }, labels: [] };
      if (label !== '') known.labels.push(label);
      edges.set(key, known);
    }
  }
  return Array.from(edges.values(), ({ edge, labels }) => ({ ...edge, labels }));
}

const titleOf = ({ name, state }: TreeNode): string => (state === 'running' ? name : `${name} (${state})`);

const textOf = ({ service, labels }: Edge): string => {
  const [first, ...more] = labels;
  if (first === undefined) return service;
  return `${service} "${first}"${more.length === 0 ? '' : ` and ${more.length} more`}`;
};

/** Every component has a number, because a label may hold anything. */
function numbered({ components }: SystemTree): (label: string) => string | undefined {
  const numbers = new Map(components.map(({ label }, index) => [label, `c${index}`]));
  return (label) => numbers.get(label);
}

/** A component with those below it, as nested groups. */
function nested(
  tree: SystemTree,
  leaf: (node: TreeNode, indent: string) => string,
  open: (node: TreeNode, indent: string) => readonly string[],
  close: (indent: string) => string,
): string[] {
  const lines: string[] = [];
  const groups: number[] = [];
  const indent = (): string => '  '.repeat(groups.length + 1);
  tree.components.forEach((node, index) => {
    while ((groups.at(-1) ?? -1) >= node.depth) {
      groups.pop();
      lines.push(close(indent()));
    }
    const hasChildren = (tree.components[index + 1]?.depth ?? 0) > node.depth;
    if (!hasChildren) return void lines.push(leaf(node, indent()));
    lines.push(...open(node, indent()));
    groups.push(node.depth);
  });
  while (groups.length > 0) {
    groups.pop();
    lines.push(close(indent()));
  }
  return lines;
}

const dotText = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** The graph in DOT, the language of Graphviz. */
export function dotOf(tree: SystemTree): string {
  const numberOf = numbered(tree);
  const leaf = (node: TreeNode, indent: string): string =>
    `${indent}${numberOf(node.label)} [label=${dotText(titleOf(node))}];`;
  const groups = nested(
    tree,
    leaf,
    (node, indent) => [
      `${indent}subgraph cluster_${numberOf(node.label)} {`,
      `${indent}  label=${dotText(node.label)};`,
      `${indent}  ${leaf(node, '')}`,
    ],
    (indent) => `${indent}}`,
  );
  const edges = edgesOf(tree).flatMap((edge) => {
    const [from, to] = [numberOf(edge.client), numberOf(edge.server)];
    return from === undefined || to === undefined
      ? []
      : [`  ${from} -> ${to} [label=${dotText(textOf(edge))}];`];
  });
  return ['digraph ginit {', '  rankdir=LR;', '  node [shape=box];', ...groups, ...edges, '}'].join('\n');
}

/** Mermaid takes characters that mean something to it as entities. */
const mermaidText = (text: string): string =>
  `"${text.replaceAll(/[#"<>&;]/g, (character) => `#${character.codePointAt(0)};`)}"`;

/** The graph in Mermaid's language. */
export function mermaidOf(tree: SystemTree): string {
  const numberOf = numbered(tree);
  const leaf = (node: TreeNode, indent: string): string =>
    `${indent}${numberOf(node.label)}[${mermaidText(titleOf(node))}]`;
  const groups = nested(
    tree,
    leaf,
    (node, indent) => [
      `${indent}subgraph g${numberOf(node.label)}[${mermaidText(node.label)}]`,
      leaf(node, `${indent}  `),
    ],
    (indent) => `${indent}end`,
  );
  const edges = edgesOf(tree).flatMap((edge) => {
    const [from, to] = [numberOf(edge.client), numberOf(edge.server)];
    return from === undefined || to === undefined
      ? []
      : [`  ${from} -->|${mermaidText(textOf(edge))}| ${to}`];
  });
  return ['flowchart LR', ...groups, ...edges].join('\n');
}
