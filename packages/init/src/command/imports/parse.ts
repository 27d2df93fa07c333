/** Finds what the source of a module imports: only real imports count, not what comments, texts and patterns look like. */
import { parse as lexModule } from 'es-module-lexer';
import type { SourceImport } from './source-import.ts';
import { findRequires } from './requires.ts';

/** How Node reads a file. */
export type SourceFormat = 'module' | 'commonjs';

/** Ways to Node's own modules other than an import; also letters that are written so that such a name does not look like one. */
const BACK_DOORS =
  /getBuiltinModule|_linkedBinding|dlopen|\bbinding\b|mainModule|createRequire|\\u(?:00[4-7]|\{0*[4-7])/;
/** A CommonJS source without any of these imports nothing: most uses of `module` are `module.exports`. */
const COMMONJS_WORDS =
  /require|import|\bmodule\b(?!\.exports\b)|arguments|process|getBuiltinModule|_linkedBinding|\\u(?:00[4-7]|\{0*[4-7])/;

/** Whether a source without a declared format is a module: Node finds out by its syntax. */
export function hasModuleSyntax(source: string): boolean {
  try {
    return lexModule(source)[3];
  } catch {
    return false;
  }
}

/** What a module of our own imports: fast, and without a search for ways around imports. */
export function ownImportsOf(source: string): readonly SourceImport[] {
  return lexedImports(source);
}

/** What `source` imports. Throws `SourceError` if it cannot be read. */
export function importsOf(source: string, format: SourceFormat): readonly SourceImport[] {
  if (format === 'commonjs') return COMMONJS_WORDS.test(source) ? findRequires(source, format) : [];
  return BACK_DOORS.test(source) ? findRequires(source, format) : lexedImports(source);
}

function lexedImports(source: string): readonly SourceImport[] {
  let found: ReturnType<typeof lexModule>[0];
  try {
    [found] = lexModule(source);
  } catch {
    // The parser takes longer and says exactly what is wrong.
    return findRequires(source, 'module');
  }
  return (
    found
      // -2 is import.meta, which imports nothing.
      .filter(({ d }) => d !== -2)
      .map(({ n, s, d }) => ({
        form: d >= 0 ? ('late' as const) : ('import' as const),
        specifier: n,
        offset: s,
      }))
  );
}
