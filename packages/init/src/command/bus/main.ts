/** `ginit bus`: the nats-server that joins the machines of a cluster. */
import type { Output } from '../output.ts';
import { put } from '../text/convert.ts';
import { STANDARD_STREAM } from '../text/files.ts';
import { madeConfig } from './config.ts';
import { findNatsProgram } from './nats-program.ts';
import { BUS_HELP, type BusCommandLine, parseBusArguments } from './options.ts';
import { startBus } from './start.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

/** Runs the command with the arguments after `bus`; the result is its exit code. */
export async function bus(args: readonly string[], output: Output): Promise<number> {
  const line = parseBusArguments(args);
  if (typeof line === 'string') {
    output.say(line);
    output.say('try "ginit bus --help"');
    return USAGE_EXIT_CODE;
  }
  switch (line.command) {
    case 'help':
      await output.text(BUS_HELP);
      return 0;
    case 'config':
      return config(line, output);
    case 'start': {
      const program = findNatsProgram(line.program);
      if ('path' in program) return startBus({ ...line, program }, output);
      output.say(`bus: ${program.problem}`);
      return FAILED_EXIT_CODE;
    }
  }
}

function config(
  { server, out }: Extract<BusCommandLine, { command: 'config' }>,
  output: Output,
): number | Promise<number> {
  const made = madeConfig(server);
  if ('text' in made) return put(made.text, out ?? STANDARD_STREAM, output);
  for (const problem of made.problems) output.say(`bus: ${problem}`);
  return USAGE_EXIT_CODE;
}
