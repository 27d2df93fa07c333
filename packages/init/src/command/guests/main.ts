/** `ginit guests`: unmodified systems to run in virtual machines. */
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Output } from '../output.ts';
import { FetchError } from './apt-root.ts';
import { type Guest, GUESTS } from './catalogue.ts';
import { fetchGuest } from './fetch.ts';
import { ProgressBar } from './progress-bar.ts';
import { copyGuest, type GuestState, GuestStore, guestsDirectory } from './store.ts';

const USAGE_EXIT_CODE = 2;
const FAILED_EXIT_CODE = 1;
/** A shell reports a program that a signal has ended by this and the number of the signal. */
const SIGNAL_EXIT_CODE = 128;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The help of the command. */
export const GUESTS_HELP = `ginit guests: unmodified systems to run in the component vmm

  ginit guests                      lists them, and says which are here
  ginit guests fetch NAME           makes one of Debian's packages; nothing is installed
  ginit guests fetch NAME --into DIRECTORY
                                    the same, and copies its files to DIRECTORY/NAME, for a config beside it

Packages come from the mirror that apt is configured for, by way of lists and caches of ginit's own, and are compared with
the hashes in Debian's signed lists. What was made is kept in the user's cache (XDG_CACHE_HOME, or ~/.cache) under
ginit/guests, and is not fetched again while its files are unchanged. docs/vmm.md shows how to start one.`;

/** Runs the command; the result is its exit code. */
export async function guests(args: readonly string[], output: Output): Promise<number> {
  const line = parseCommandLine(args);
  if (typeof line === 'string') {
    output.say(line);
    output.say('try "ginit guests --help"');
    return USAGE_EXIT_CODE;
  }
  const store = new GuestStore(guestsDirectory());
  switch (line.command) {
    case 'help':
      await output.text(`${GUESTS_HELP}\n`);
      return 0;
    case 'list':
      await output.text(listOf(store));
      return 0;
    case 'fetch':
      return fetch(line, store, output);
  }
}

type CommandLine =
  | { readonly command: 'help' | 'list' }
  | { readonly command: 'fetch'; readonly guest: Guest; readonly into: string | undefined };

/** Reads the command line. A string as the result says what is wrong with it. */
function parseCommandLine(args: readonly string[]): CommandLine | string {
  const options = { help: { type: 'boolean', short: 'h' }, into: { type: 'string' } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [command, name, extra] = positionals;
    if (values.help) return { command: 'help' };
    if (command === undefined) return { command: 'list' };
    if (command !== 'fetch') return `there is no "ginit guests ${command}"`;
    if (name === undefined) return 'the name of a guest is missing; "ginit guests" lists them';
    if (extra !== undefined) return `one guest at a time, not also "${extra}"`;
    const guest = GUESTS.find((one) => one.name === name);
    if (!guest) return `there is no guest "${name}" (there are: ${GUESTS.map((one) => one.name).join(', ')})`;
    return { command: 'fetch', guest, into: values.into };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function listOf(store: GuestStore): string {
  const width = Math.max(...GUESTS.map(({ name }) => name.length));
  return GUESTS.map(
    ({ name, about }) =>
      `${name.padEnd(width)}  ${about}\n${' '.repeat(width)}  ${words(store.look(name))}\n`,
  ).join('');
}

function words(state: GuestState): string {
  switch (state.state) {
    case 'absent':
      return 'not fetched';
    case 'damaged':
      return `to be fetched again: ${state.reason}`;
    case 'fetched':
      return `fetched: ${state.guest.directory} (${state.guest.packages.join(', ')})`;
  }
}

async function fetch(
  { guest, into }: { readonly guest: Guest; readonly into: string | undefined },
  store: GuestStore,
  output: Output,
): Promise<number> {
  const bar = new ProgressBar(output);
  // What is under way is put in order first: programs end, and their directory goes away. A second
  // signal does nothing more, because a package manager above us passes each on once more.
  const interruption = new AbortController();
  let interruptedBy: (typeof SIGNALS)[number] | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    interruptedBy ??= SIGNALS.find((one) => one === signal);
    interruption.abort();
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    const before = store.look(guest.name);
    const stored =
      before.state === 'fetched'
        ? before.guest
        : await fetchGuest(guest, store, (step, percent) => bar.show(step, percent), interruption.signal);
    bar.clear();
    const place = into === undefined ? stored.directory : resolve(into, guest.name);
    if (into !== undefined) copyGuest(stored, place);
    output.say(`${guest.name} is in ${place}: ${Object.keys(stored.files).join(', ')}`);
    return 0;
  } catch (error) {
    bar.clear();
    const isOfHost = error instanceof Error && 'code' in error;
    if (!(error instanceof FetchError) && !isOfHost) throw error;
    output.say(`${guest.name} cannot be fetched: ${error.message}`);
    return interruptedBy === undefined
      ? FAILED_EXIT_CODE
      : SIGNAL_EXIT_CODE + constants.signals[interruptedBy];
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
