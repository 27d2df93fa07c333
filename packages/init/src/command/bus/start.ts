/**
 * `ginit bus start`: runs a nats-server on this machine until a signal ends it. When a list of keys
 * or a certificate has changed, the server is told; a list that is wrong changes nothing.
 */
import type { Output } from '../output.ts';
import { FilesWatch } from '../watch/files-watch.ts';
import { madeConfig } from './config.ts';
import { type LogLine, NatsProcess } from './nats-process.ts';
import type { NatsProgram } from './nats-program.ts';
import type { ServerOptions } from './options.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Levels that are told: warnings, errors, and what ends it. */
const GRAVE: ReadonlySet<string> = new Set(['WRN', 'ERR', 'FTL']);

/** The nats-server that is started, and what is told of it. */
export interface StartOptions {
  readonly server: ServerOptions;
  readonly program: Extract<NatsProgram, { path: string }>;
  readonly verbose: boolean;
}

/** Runs it; the result is the exit code. */
export async function startBus({ server, program, verbose }: StartOptions, output: Output): Promise<number> {
  const made = madeConfig(server);
  if ('problems' in made) {
    for (const problem of made.problems) output.say(`bus: ${problem}`);
    return USAGE_EXIT_CODE;
  }
  const { cluster, tls } = server.parts;
  const count = (keys: number): string => `${keys} ${keys === 1 ? 'key' : 'keys'}`;
  let address = '';
  let stopping = false;
  const hear = ({ level, text }: LogLine): void => {
    address = /^Listening for client connections on (\S+)$/.exec(text)?.[1] ?? address;
    if (verbose || (GRAVE.has(level) && !stopping)) output.say(`nats-server: ${text}`);
    if (text !== 'Server is ready') return;
    const url = `${tls ? 'tls' : 'nats'}://${address}`;
    output.say(`bus: nats-server ${program.version} is at ${url}, cluster ${cluster}, ${count(made.keys)}`);
  };
  const running = new NatsProcess(program.path, made.text, hear);
  const watch = new FilesWatch(() => {
    const fresh = madeConfig(server);
    if ('problems' in fresh) {
      for (const problem of fresh.problems) output.say(`bus: ${problem}; everything stays as it was`);
      return;
    }
    running.reload(fresh.text);
    output.say(`bus: reloaded, ${count(fresh.keys)}`);
  });
  const files = [...server.lists, ...Object.values(tls ?? {})];
  watch.set(files.filter((file) => file !== undefined));
  const stop = (): void => {
    stopping = true;
    void running.stop();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    await running.ended;
  } finally {
    watch.close();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  if (stopping) return 0;
  output.say('bus: nats-server has ended');
  return FAILED_EXIT_CODE;
}
