/** `ginit convert`: writes a config, or any such text, in the other syntax. */
import { parseArgs } from 'node:util';
import {
  ConfigError,
  type DocumentNode,
  hidProblems,
  readDocument,
  type Syntax,
  syntaxOf,
  writeDocument,
} from '@ginit/core/config';
import type { Output } from '../output.ts';
import { readSource, STANDARD_STREAM, writeFile } from './files.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

/** The help text of `ginit convert`. */
export const CONVERT_HELP = `ginit convert: writes a config in the other syntax: XML as HID, HID as XML

  ginit convert [--to xml|hid] IN [OUT]

  IN, OUT       files; - is standard input or output, and so is an OUT that is left out
  --to SYNTAX   xml or hid (default: by the name of OUT, .xml or .hid; else the one that IN is not in)

Whether IN is XML or HID is seen by its content. Comments and disabled nodes are kept: a comment of XML that holds nothing
but elements is a disabled node in HID, and the other way round. What HID cannot hold is told, each with its place, and
nothing is written. What the way through the other syntax changes: docs/hid.md. Exit code: 0; 2 if the text or the command
line is wrong, 1 if OUT cannot be written.`;

interface ConvertOptions {
  readonly from: string;
  readonly into: string;
  readonly syntax: 'xml' | 'hid' | undefined;
}

function parse(args: readonly string[]): ConvertOptions | string {
  try {
    const options = { to: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [from, into = STANDARD_STREAM, extra] = positionals;
    if (from === undefined) return 'convert: no file given';
    if (extra !== undefined) return `convert: one file at a time, not also "${extra}"`;
    const { to } = values;
    if (to !== undefined && to !== 'xml' && to !== 'hid') return `--to ${to}: not one of xml, hid`;
    return { from, into, syntax: to ?? byName(into) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function byName(path: string): 'xml' | 'hid' | undefined {
  const [, extension] = /\.(xml|hid)$/i.exec(path) ?? [];
  const lower = extension?.toLowerCase();
  return lower === 'xml' || lower === 'hid' ? lower : undefined;
}

function otherThan(syntax: Syntax | undefined): 'xml' | 'hid' {
  return syntax === 'xml' ? 'hid' : 'xml';
}

/** Runs the command with the arguments after `convert`; the result is its exit code. */
export async function convert(args: readonly string[], output: Output): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(CONVERT_HELP);
    return 0;
  }
  const options = parse(args);
  if (typeof options === 'string') {
    output.say(options);
    output.say('try "ginit convert --help"');
    return USAGE_EXIT_CODE;
  }
  const source = readSource(options.from);
  if ('problem' in source) {
    output.say(source.problem);
    return USAGE_EXIT_CODE;
  }
  const made = rewritten(source.name, source.bytes, options.syntax ?? otherThan(syntaxOf(source.bytes)));
  return 'errors' in made ? tell(made.errors, output) : put(made.text, options.into, output);
}

/** The text in a syntax, or all that is in the way. */
export function rewritten(
  name: string,
  bytes: Uint8Array,
  syntax: 'xml' | 'hid',
): { readonly text: string } | { readonly errors: readonly ConfigError[] } {
  try {
    const document: DocumentNode = readDocument(bytes, name);
    const errors = syntax === 'hid' ? hidProblems(document) : [];
    return errors.length > 0 ? { errors } : { text: writeDocument(document, syntax) };
  } catch (error) {
    if (error instanceof ConfigError) return { errors: [error] };
    throw error;
  }
}

/** Tells errors of a text. The result is the exit code. */
export function tell(errors: readonly ConfigError[], output: Output): number {
  for (const error of errors) output.plain(error.message);
  return USAGE_EXIT_CODE;
}

/** Writes a text to a file or to standard output. The result is the exit code. */
export async function put(text: string, path: string, output: Output): Promise<number> {
  if (path === STANDARD_STREAM) {
    await output.text(text.replace(/\n$/, ''));
    return 0;
  }
  const problem = writeFile(path, text);
  if (problem === undefined) return 0;
  output.say(problem);
  return FAILED_EXIT_CODE;
}
