/**
 * A running nats-server that ends with this process, however that ends, kill -9 included. Between
 * the two is a shell that hears words from us: when they end, it kills the server and removes the
 * directory of its configuration.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Arguments: the program, the directory. The words come by descriptor 3, because a shell gives what
 * it runs beside itself no input. The shell itself says nothing: who hears it may be gone, and it
 * would die of that.
 */
const GUARD = `
exec 3<&0 4>&2 </dev/null 2>/dev/null
"$1" -c "$2/server.conf" 2>&4 3<&- 4>&- &
server=$!
{
  while read -r word <&3; do
    case "$word" in
      reload) kill -HUP "$server" ;;
      stop) kill -TERM "$server" ;;
    esac
  done
  kill -KILL "$server"
} 4>&- &
hearer=$!
exec 3<&- 4>&-
wait "$server"
status=$?
kill -KILL "$hearer"
rm -rf "$2"
exit "$status"
`;
/** The time that a server has to end in order. */
const STOP_MS = 5000;
const LINE_CHARACTERS_MAX = 2000;

/** A line of the server's log: how grave it is, and the text without time and process. */
export interface LogLine {
  readonly level: string;
  readonly text: string;
}

/** A nats-server that runs. */
export class NatsProcess {
  /** Settles when it has ended. */
  readonly ended: Promise<void>;
  readonly #guard: ChildProcess;
  readonly #directory: string;
  #rest = '';

  /** Starts the program with this configuration. */
  constructor(program: string, configuration: string, heard: (line: LogLine) => void) {
    this.#directory = mkdtempSync(join(tmpdir(), 'ginit-bus-'));
    this.#write(configuration);
    // A group of its own: Ctrl-C is for us, and we end the server in order.
    this.#guard = spawn('/bin/sh', ['-c', GUARD, 'ginit-bus', program, this.#directory], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    this.#guard.stdin?.on('error', () => {});
    this.#guard.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear(text, heard));
    this.ended = new Promise((resolve) => {
      this.#guard.on('close', () => resolve());
      this.#guard.on('error', () => resolve());
    });
  }

  /** Has the server take another configuration. Nobody who is in both of them notices. */
  reload(configuration: string): void {
    this.#write(configuration);
    this.#guard.stdin?.write('reload\n');
  }

  /** Ends the server; settles when it has ended. */
  async stop(): Promise<void> {
    this.#guard.stdin?.write('stop\n');
    // The guard kills it when there are no more words.
    const timer = setTimeout(() => this.#guard.stdin?.end(), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** As a whole or not at all: the server may be reading it. */
  #write(configuration: string): void {
    const file = join(this.#directory, 'server.conf');
    writeFileSync(`${file}.new`, configuration);
    chmodSync(`${file}.new`, 0o600);
    renameSync(`${file}.new`, file);
  }

  #hear(text: string, heard: (line: LogLine) => void): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LINE_CHARACTERS_MAX);
    for (const line of lines) {
      const [, level, said] = /^\[\d+\] \S+ \S+ \[(\w+)\] (.*)$/.exec(line) ?? [];
      // What has no level it says before it has a log: that it cannot start.
      heard({ level: level ?? 'FTL', text: said ?? line });
    }
  }
}
