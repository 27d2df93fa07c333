/** `ginit key`: makes and shows the keys of nodes and attachers. */
import { parseArgs } from 'node:util';
import { readKey, writeNewKey } from '../keys/key-file.ts';
import type { Output } from '../output.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

/** The help text of `ginit key`. */
export const KEY_HELP = `ginit key: the keys of nodes and attachers on the bus

  ginit key new FILE     makes a key: writes its secret half to FILE, which must not be there yet
  ginit key show FILE    the public half of the key in FILE

Both write the public half (U...) to standard output. It is no secret: it goes into the list of "ginit bus config", or into
<attach key="U..."/>. FILE has the secret half (SU...), readable for its owner only (mode 0600); who has it is that node. It
is an nkey of NATS ("nk -gen user" makes the same). docs/cluster.md says more.
Exit code: 0; 1 if the file cannot be read or written, or is no key; 2 if the command line is wrong.`;

/** Runs the command with the arguments after `key`; the result is its exit code. */
export async function key(args: readonly string[], output: Output): Promise<number> {
  const line = parseCommandLine(args);
  if (typeof line === 'string') {
    output.say(line);
    output.say('try "ginit key --help"');
    return USAGE_EXIT_CODE;
  }
  if (line.command === 'help') {
    await output.text(KEY_HELP);
    return 0;
  }
  const reading = line.command === 'new' ? writeNewKey(line.file) : readKey(line.file);
  if ('problem' in reading) {
    output.say(`key: ${reading.problem}`);
    return FAILED_EXIT_CODE;
  }
  await output.text(reading.identity.publicKey);
  return 0;
}

type CommandLine = { readonly command: 'help' } | { readonly command: 'new' | 'show'; readonly file: string };

/** Reads the command line. A string as the result says what is wrong with it. */
function parseCommandLine(args: readonly string[]): CommandLine | string {
  const options = { help: { type: 'boolean', short: 'h' } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help) return { command: 'help' };
    const [command, file, extra] = positionals;
    if (command === undefined) return 'key: say "new FILE" or "show FILE"';
    if (command !== 'new' && command !== 'show') return `key: "${command}" is not one of new, show`;
    if (file === undefined) return `key ${command}: no file given`;
    if (extra !== undefined) return `key ${command}: one file at a time, not also "${extra}"`;
    return { command, file };
  } catch (error) {
    return error instanceof Error ? `key: ${error.message}` : String(error);
  }
}
