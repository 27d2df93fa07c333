/**
 * A place in a configuration text; `line` and `column` count from 1, columns in UTF-16 units (a tab
 * is one column).
 */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * The place of a node that no text was read for, for example an empty configuration or a generated
 * report.
 */
export const GENERATED_POSITION: Position = { file: '(generated)', line: 1, column: 1 };

/** `FILE:LINE:COLUMN`. */
export function formatPosition(position: Position): string {
  return `${position.file}:${position.line}:${position.column}`;
}

/**
 * Something wrong in a configuration. `message` is `FILE:LINE:COLUMN: text`, what editors and
 * scripts jump to; `text` is the part behind the position.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly position: Position;
  readonly text: string;

  constructor(text: string, position: Position) {
    super(`${formatPosition(position)}: ${text}`);
    this.position = position;
    this.text = text;
  }
}

/**
 * Orders places by line, then column; places of different files keep the order they were found in.
 */
export function comparePositions(left: Position, right: Position): number {
  if (left.file !== right.file) return 0;
  return left.line - right.line || left.column - right.column;
}
