/** One import in the source of a module. */

/** The form of an import: `late` is an `import()`, which happens while the code runs. */
export type ImportForm = 'import' | 'late' | 'require' | 'builtin';

/**
 * A module that a source asks for. The form `builtin` asks for one of Node's own by other means
 * than an import.
 */
export interface SourceImport {
  readonly form: ImportForm;
  /** The module's name; `undefined` if it is computed. */
  readonly specifier: string | undefined;
  /** A description for imports that have no name. */
  readonly what?: string;
  readonly offset: number;
}

/** A source that cannot be read. */
export class SourceError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
