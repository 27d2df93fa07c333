/** Finds what the source of a module imports: only real imports count, not what comments, texts and patterns look like. */
import { parse as lexModule } from 'es-module-lexer';
import type { SourceImport } from './source-import.ts';
import { findRequires, isCommonJs, type ParsedFormat } from './requires.ts';

/** How Node reads a file: `either` if that depends on its syntax, and on who asks for it. */
export type SourceFormat = ParsedFormat | 'either';

/** Ways to Node's own modules other than an import; also letters that are written so that such a name does not look like one. */
const BACK_DOORS =
  /getBuiltinModule|_linkedBinding|dlopen|\bbinding\b|mainModule|createRequire|\\u(?:00[4-7]|\{0*[4-7])/;
/** A CommonJS source without any of these imports nothing: most uses of `module` are `module.exports`. */
const COMMONJS_WORDS =
  /require|import|\bmodule\b(?!\.exports\b)|arguments|process|getBuiltinModule|_linkedBinding|\\u(?:00[4-7]|\{0*[4-7])/;

/** Whether a source may be a module: the lexer is fast, and takes the word of the source. */
function hasModuleSyntax(source: string): boolean {
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
  if (format === 'either') return importsOf(source, parsedFormatOf(source));
  if (format === 'commonjs') return COMMONJS_WORDS.test(source) ? findRequires(source, format) : [];
  return BACK_DOORS.test(source) ? findRequires(source, format) : lexedImports(source, true);
}

/** Without a declared format Node takes what can be CommonJS for that. */
function parsedFormatOf(source: string): ParsedFormat {
  return hasModuleSyntax(source) && !isCommonJs(source) ? 'module' : 'commonjs';
}

/**
 * The lexer guesses after a closing bracket whether a slash begins a pattern or divides, and so may take an import for a
 * part of a pattern. `doubted`: where there is such a slash, each word that an import must have counts, wherever it
 * stands; if the lexer has not met one, the parser decides.
 */
function lexedImports(source: string, doubted = false): readonly SourceImport[] {
  let found: ReturnType<typeof lexModule>[0];
  try {
    [found] = lexModule(source);
  } catch {
    // The parser takes longer and says exactly what is wrong.
    return findRequires(source, 'module');
  }
  if (doubted && UNSURE_SLASH.test(source) && !accountsForAll(found, source))
    return findRequires(source, 'module');
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

/** A slash that begins no comment, after a closing bracket, or after a comment that may follow one. */
const UNSURE_SLASH = /(?:[)}]|\*\/|[\n\r\u2028\u2029])\s*\/(?![*/])/;

/** `import`, and `from` before a text, or before a comment that a text may follow. */
const IMPORT_WORDS = /\bimport\b|\bfrom\b(?=\s*["'/])/g;

/** Whether all words of imports in the source belong to what was found. */
function accountsForAll(found: ReturnType<typeof lexModule>[0], source: string): boolean {
  const starts = new Set(found.map(({ ss }) => ss));
  // Statements come in their order; imports that happen late have no `from`.
  const statements = found.filter(({ d }) => d === -1);
  let next = 0;
  for (const { 0: word, index } of source.matchAll(IMPORT_WORDS)) {
    if (word === 'import') {
      if (!starts.has(index)) return false;
      continue;
    }
    while (next < statements.length && (statements[next]?.se ?? 0) <= index) next++;
    if ((statements[next]?.ss ?? Infinity) > index) return false;
  }
  return true;
}
