import type { Affinity, InitConfig } from './init-config.ts';
import type { Findings } from './reading.ts';
import type { StartReading } from './schema.ts';

interface Surroundings {
  readonly affinitySpace: InitConfig['affinitySpace'];
  readonly hasAffinitySpace: boolean;
}

/**
 * The part of the affinity space that a start node asks for. A missing column or row means all of
 * them; a part that reaches beyond the space means the whole space, with a warning.
 */
export function readAffinity(
  start: StartReading,
  { affinitySpace: space, hasAffinitySpace }: Surroundings,
  findings: Findings,
): Affinity | undefined {
  const { affinity } = start.$children;
  if (affinity === undefined) return undefined;
  const node = affinity.$node;
  const { position } = node;
  const warn = (text: string, at = position): void => {
    findings.warnings.push({ text, position: at });
  };
  if (!hasAffinitySpace) warn('<affinity> without an <affinity-space> means nothing');
  const part = (place: 'xpos' | 'ypos', size: 'width' | 'height', all: number): [number, number] => {
    const first = affinity[place];
    if (first !== undefined) return [first, affinity[size]];
    if (node.has(size) && !node.has(place)) {
      warn(`attribute "${size}" of <affinity> means nothing without "${place}"`, node.positionOf(size));
    }
    return [0, all];
  };
  const [xpos, width] = part('xpos', 'width', space.width);
  const [ypos, height] = part('ypos', 'height', space.height);
  if (xpos + width <= space.width && ypos + height <= space.height) return { xpos, ypos, width, height };
  const asked = `columns ${xpos} to ${xpos + width - 1}, rows ${ypos} to ${ypos + height - 1}`;
  const size = `${space.width} by ${space.height}`;
  if (hasAffinitySpace) {
    warn(`<affinity> (${asked}) reaches beyond the affinity space of ${size}, the whole is used`);
  }
  return { xpos: 0, ypos: 0, ...space };
}
