/** Finds what the source of a module imports: only real imports count, not what comments, texts and patterns look like. */
import { parse as lexModule } from 'es-module-lexer';
import type { SourceImport } from './source-import.ts';
import { findRequires, isCommonJs } from './requires.ts';
import type { ParsedFormat } from './source-format.ts';

/** How Node reads a file: `either` if that depends on its syntax, and on who asks for it. */
export type SourceFormat = ParsedFormat | 'either';

/** Ways to Node's own modules other than an import. */
const BACK_DOORS = /getBuiltinModule|_linkedBinding|dlopen|\bbinding\b|mainModule|createRequire/;
/** A CommonJS source without any of these imports nothing: most uses of `module` are `module.exports`. */
const COMMONJS_WORDS =
  /require|import|\bmodule\b(?!\.exports\b)|arguments|process|getBuiltinModule|_linkedBinding/;

/** A letter that is written as an escape, in a text or in a name, and an end of line that a text goes on after. */
const ESCAPE = /\\(?:x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]+)\}|([0-3]?[0-7]{1,2})|\r\n|([^]))/gi;
const ENDS_OF_LINES = '\n\r\u2028\u2029';

/** Whether one of the words stands in a source, also if it is written with escapes. */
function hasWord(source: string, words: RegExp): boolean {
  return words.test(source) || (source.includes('\\') && words.test(unescaped(source)));
}

/** The source as if all of it were one text. */
function unescaped(source: string): string {
  return source.replace(ESCAPE, (_, x?: string, u?: string, point?: string, octal?: string, other = '') => {
    const hexadecimal = x ?? u ?? point;
    if (hexadecimal !== undefined) return characterOf(Number.parseInt(hexadecimal, 16));
    if (octal !== undefined) return characterOf(Number.parseInt(octal, 8));
    return ENDS_OF_LINES.includes(other) ? '' : other;
  });
}

const characterOf = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : '');

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
  if (format === 'commonjs') return hasWord(source, COMMONJS_WORDS) ? findRequires(source, format) : [];
  return hasWord(source, BACK_DOORS) ? findRequires(source, format) : lexedImports(source, true);
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
