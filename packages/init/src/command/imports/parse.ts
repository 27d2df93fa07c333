/**
 * Finds the imports of a module's source. Only real imports count, not comments, texts and patterns
 * that look like one.
 */
import { parse as lexModule } from 'es-module-lexer';
import type { SourceImport } from './source-import.ts';
import { findRequires, isCommonJs } from './requires.ts';
import type { ParsedFormat } from './source-format.ts';

/**
 * The way in which Node reads a file. `either` means that it depends on the syntax of the file and
 * on whether it is imported or required.
 */
export type SourceFormat = ParsedFormat | 'either';

/** Words that name ways to Node's own modules other than an import. */
const BACK_DOORS = /getBuiltinModule|_linkedBinding|dlopen|\bbinding\b|mainModule|createRequire/;
/**
 * The words without which a CommonJS source imports nothing: most uses of `module` are
 * `module.exports`.
 */
const COMMONJS_WORDS =
  /require|import|\bmodule\b(?!\.exports\b)|arguments|process|getBuiltinModule|_linkedBinding/;

/**
 * A letter that is written as an escape, in a text or in a name; also an escaped end of line within
 * a text.
 */
const ESCAPE = /\\(?:x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]+)\}|([0-3]?[0-7]{1,2})|\r\n|([^]))/gi;
const ENDS_OF_LINES = '\n\r\u2028\u2029';

/** Whether one of the words stands in a source, also if it is written with escapes. */
function hasWord(source: string, words: RegExp): boolean {
  return words.test(source) || (source.includes('\\') && words.test(unescaped(source)));
}

/** The source with all escapes resolved, as if the whole of it were one text. */
function unescaped(source: string): string {
  return source.replace(ESCAPE, (_, x?: string, u?: string, point?: string, octal?: string, other = '') => {
    const hexadecimal = x ?? u ?? point;
    if (hexadecimal !== undefined) return characterOf(Number.parseInt(hexadecimal, 16));
    if (octal !== undefined) return characterOf(Number.parseInt(octal, 8));
    return ENDS_OF_LINES.includes(other) ? '' : other;
  });
}

const characterOf = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : '');

/** Whether a source may be a module. The lexer decides this fast, by the syntax that it meets. */
function hasModuleSyntax(source: string): boolean {
  try {
    return lexModule(source)[3];
  } catch {
    return false;
  }
}

/**
 * The imports of a module of our own runtime. This is fast, because it does not look for ways
 * around imports.
 */
export function ownImportsOf(source: string): readonly SourceImport[] {
  return lexedImports(source);
}

/** The imports of `source`. Throws `SourceError` if it cannot be read. */
export function importsOf(source: string, format: SourceFormat): readonly SourceImport[] {
  if (format === 'either') return importsOf(source, parsedFormatOf(source));
  if (format === 'commonjs') return hasWord(source, COMMONJS_WORDS) ? findRequires(source, format) : [];
  return hasWord(source, BACK_DOORS) ? findRequires(source, format) : lexedImports(source, true);
}

/**
 * The format of a source that declares none: Node takes every source that can be CommonJS for
 * CommonJS.
 */
function parsedFormatOf(source: string): ParsedFormat {
  return hasModuleSyntax(source) && !isCommonJs(source) ? 'module' : 'commonjs';
}

/**
 * After a closing bracket the lexer guesses whether a slash begins a pattern or divides, and so it
 * may take an import for a part of a pattern. `doubted` says that there is such a slash. Then every
 * word that an import must have is counted, wherever it stands; if the lexer has not accounted for
 * one of them, the parser decides.
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

/**
 * A slash that begins no comment, after a closing bracket, or after a comment that may follow one.
 */
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
