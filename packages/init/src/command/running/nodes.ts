/** The table of `ginit nodes`. */
import type { ShapeType } from '@ginit/core';
import { formatBytes } from '@ginit/core/config';
import { visibleText } from '@ginit/core/system';
import { nodesAnswer } from '../control/index.ts';
import { tableLines } from './table-lines.ts';

export { nodesAnswer } from '../control/index.ts';

/** The lines of the table. */
export function nodesText({ nodes }: ShapeType<typeof nodesAnswer>): string {
  const headings = ['node', 'state', 'components', 'RAM used', 'CPUs', 'labels', 'versions'];
  const rows = nodes.map(({ name, there, components, ram, cores, labels, ginit, node, platform }) => [
    visibleText(name),
    there ? 'there' : 'not there',
    String(components),
    ram ? `${formatBytes(ram.used)} of ${formatBytes(ram.lent)}` : '-',
    cores === undefined ? '-' : String(cores),
    visibleText(labels.join(' ')),
    there ? visibleText(`ginit ${ginit}, Node ${node}, ${platform}`) : '',
  ]);
  return tableLines([headings, ...rows]).join('\n');
}
