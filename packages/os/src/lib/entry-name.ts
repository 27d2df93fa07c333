import type { ConfigNode } from '@ginit/core/config';
import { NAME_BYTES_MAX } from '@ginit/core/file_system';

/** A name of one component, out of a config. Throws a `ConfigError` at anything else. */
export function checkedName(name: string, node: ConfigNode): string {
  const isName = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
  if (isName && new TextEncoder().encode(name).length <= NAME_BYTES_MAX) return name;
  throw node.errorAt(`"${name}" is no name of a file: 1 to ${NAME_BYTES_MAX} bytes, without "/"`, 'name');
}
