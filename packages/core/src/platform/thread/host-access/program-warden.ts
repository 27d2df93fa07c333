/**
 * A process between a driver and the program that it runs. Its only task is to outlive the driver
 * by a moment: when its line to the driver's thread is gone, however that thread ended, it kills
 * the program and everything that the program has started in its process group. Its arguments are
 * the program's file and arguments. Over the line (descriptor 3) it says `started`, `failed CODE`,
 * and `ended CODE` or `ended SIGNAL`, and hears names of signals.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

const LINE_DESCRIPTOR = 3;
/**
 * The whole environment of the program: nothing of ginit's, and nothing that a driver could have it
 * load.
 */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP'];

const [file = '', ...args] = process.argv.slice(2);
const line = new Socket({ fd: LINE_DESCRIPTOR, readable: true, writable: true });
const program = spawn(file, args, { stdio: 'inherit', cwd: '/', env: ENVIRONMENT, detached: true });

function signal(name: NodeJS.Signals): void {
  const { pid } = program;
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // The program has just ended.
  }
}

// Only the program has its input and output, so that the other end sees them end with the program.
program.on('spawn', () => line.write('started\n'));
program.on('error', (error) => {
  line.end(`failed ${String(Reflect.get(error, 'code'))}\n`, () => process.exit(1));
});
program.on('exit', (code, killedBy) => {
  // Processes that the program has left in its group end with it.
  signal('SIGKILL');
  line.end(`ended ${killedBy ?? code}\n`, () => process.exit(0));
});
line.setEncoding('utf8').on('data', (text: string) => {
  for (const word of text.split('\n')) {
    const name = SIGNALS.find((known) => known === `SIG${word}`);
    if (name) signal(name);
  }
});
const gone = (): void => {
  signal('SIGKILL');
  process.exit(1);
};
line.on('end', gone).on('error', gone).on('close', gone);
