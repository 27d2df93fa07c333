/** One import in the source of a module. */

/** In which way a module is asked for: `late` is an `import()`, which happens while the code runs. */
export type ImportForm = 'import' | 'late' | 'require' | 'builtin';

/** What a module's source asks for; `builtin`: of Node itself, by other means than an import. */
export interface SourceImport {
  readonly form: ImportForm;
  /** The module's name; `undefined` if it is computed. */
  readonly specifier: string | undefined;
  /** How to call it where there is no name. */
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
