import { formatPosition, type Position } from '@ginit/core/config';

/** A part of a configuration that works, but hardly as it was meant. */
export interface ConfigWarning {
  readonly text: string;
  readonly position: Position;
}

/** `FILE:LINE:COLUMN: warning: text`. */
export function formatWarning(warning: ConfigWarning): string {
  return `${formatPosition(warning.position)}: warning: ${warning.text}`;
}
