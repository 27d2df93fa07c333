import type { ConfigNode } from '@ginit/core';
import type { Affinity, InitConfig } from './init-config.ts';
import { type Findings, integerOf } from './reading.ts';

/**
 * The part of the affinity space that a start node asks for. A missing column or row means all of them; a
 * part that reaches beyond the space means the whole space, with a warning.
 */
export function readAffinity(
  start: ConfigNode,
  space: InitConfig['affinitySpace'],
  hasSpace: boolean,
  findings: Findings,
): Affinity | undefined {
  const node = start.child('affinity');
  if (node === undefined) return undefined;
  const { position } = node;
  if (!hasSpace)
    findings.warnings.push({ text: '<affinity> without an <affinity-space> means nothing', position });
  const xpos = integerOf(node, 'xpos');
  const ypos = integerOf(node, 'ypos');
  const affinity: Affinity = {
    xpos: xpos ?? 0,
    ypos: ypos ?? 0,
    width: xpos === undefined ? space.width : (integerOf(node, 'width') ?? 1),
    height: ypos === undefined ? space.height : (integerOf(node, 'height') ?? 1),
  };
  const fits =
    affinity.xpos + affinity.width <= space.width && affinity.ypos + affinity.height <= space.height;
  if (fits) return affinity;
  const size = `${space.width} by ${space.height}`;
  const text = `<affinity> reaches beyond the affinity space of ${size}, the whole is used`;
  if (hasSpace) findings.warnings.push({ text, position });
  return { xpos: 0, ypos: 0, ...space };
}
