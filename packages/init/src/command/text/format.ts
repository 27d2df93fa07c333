/** `ginit format`: lays out a HID text as Genode's own tool does. */
import { parseArgs } from 'node:util';
import { syntaxOf } from '@ginit/core/config';
import type { Output } from '../output.ts';
import { put, rewritten, tell } from './convert.ts';
import { readSource, STANDARD_STREAM } from './files.ts';

const USAGE_EXIT_CODE = 2;

/** The help text of `ginit format`. */
export const FORMAT_HELP = `ginit format: lays out HID as Genode's own tool does

  ginit format [-i] FILE...

  FILE  - is standard input
  -i    write the result into the file itself (more than one file is possible then); else it goes to standard output

Each sub node gets a line, attributes stay in the line of their node as long as they fit. Comments and disabled nodes are
kept; formatting the result again changes nothing. A text that is no sound HID is told with its place, and left as it is.
Exit code: 0; 2 if a text or the command line is wrong, 1 if a file cannot be written.`;

interface FormatOptions {
  readonly files: readonly string[];
  readonly inPlace: boolean;
}

function parse(args: readonly string[]): FormatOptions | string {
  try {
    const options = { 'in-place': { type: 'boolean', short: 'i', default: false } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const inPlace = values['in-place'];
    if (positionals.length === 0) return 'format: no file given';
    if (!inPlace && positionals.length > 1) return 'format: one file at a time without -i';
    if (inPlace && positionals.includes(STANDARD_STREAM)) return 'format -i: standard input is no file';
    return { files: positionals, inPlace };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Runs the command with the arguments after `format`; the result is its exit code. */
export async function format(args: readonly string[], output: Output): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(FORMAT_HELP);
    return 0;
  }
  const options = parse(args);
  if (typeof options === 'string') {
    output.say(options);
    output.say('try "ginit format --help"');
    return USAGE_EXIT_CODE;
  }
  const codes: number[] = [];
  for (const file of options.files)
    codes.push(await formatFile(file, options.inPlace ? file : STANDARD_STREAM, output));
  return Math.max(...codes);
}

async function formatFile(file: string, into: string, output: Output): Promise<number> {
  const source = readSource(file);
  if ('problem' in source) {
    output.say(source.problem);
    return USAGE_EXIT_CODE;
  }
  const { name, bytes } = source;
  if (syntaxOf(bytes) === 'xml') {
    output.say(`${name} is XML: format is for HID ("ginit convert" makes HID of it)`);
    return USAGE_EXIT_CODE;
  }
  const made = rewritten(name, bytes, 'hid');
  if ('errors' in made) return tell(made.errors, output);
  // A file that is right as it is keeps its time.
  if (into !== STANDARD_STREAM && made.text === new TextDecoder().decode(bytes)) return 0;
  return put(made.text, into, output);
}
