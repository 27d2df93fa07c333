/** What init logs of its work if its config says `verbose` (reference: Genode's init). */
import { formatBytes } from '@ginit/core/config';
import type { InitConfig, StartNode } from '../model/index.ts';

/** The services of the parent that children may use. */
export function parentServicesText({ parentProvides }: Pick<InitConfig, 'parentProvides'>): string {
  return ['parent provides', ...parentProvides.map(({ name }) => `  service "${name}"`)].join('\n');
}

/** The parameters of a child that is made. */
export function childText({ name, ram, caps, binary, priority, provides }: StartNode): string {
  const lines = [
    `child "${name}"`,
    `  RAM quota:  ${formatBytes(ram)}`,
    `  cap quota:  ${caps}`,
    `  ELF binary: ${binary.name}`,
    `  priority:   ${priority}`,
    ...provides.map((service) => `  provides service ${service.name}`),
  ];
  return lines.join('\n');
}

/** A service that a child has announced. */
export function announcementText(child: string, service: string): string {
  return `child "${child}" announces service "${service}"`;
}
