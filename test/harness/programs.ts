/** Programs of the host that check our work. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';

/**
 * Where programs are looked for. Debian's come first, because some of them are scripts for Debian's
 * own Python; the directories of administrators are not in everybody's PATH.
 */
export const PATH = [
  '/usr/sbin',
  '/usr/bin',
  process.env['PATH'] ?? '',
  '/sbin',
  '/bin',
  '/usr/local/sbin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/bin',
].join(delimiter);

/** The path of a program; `undefined` if it is not installed. */
export function programPath(program: string): string | undefined {
  return PATH.split(delimiter)
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * What to say of tests that are skipped because one of the programs is missing; `undefined` if none
 * is.
 */
export function missingOf(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => programPath(program) === undefined);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

/** The result of a program that has ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly text: string;
}

/** How a program is run. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** What the program reads from its standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Runs a program to its end; at most `timeoutMs`. */
export function runProgram(
  program: string,
  args: readonly string[],
  { cwd, input = '', timeoutMs = 40_000 }: ProgramOptions = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH };
    const child = spawn(program, args, { ...(cwd === undefined ? {} : { cwd }), env, timeout: timeoutMs });
    let [stdout, text] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      stdout += part;
      text += part;
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, text }));
    // A program may end without having read its input.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Runs a program that must succeed. The result is what it has written, errors and all. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { status, text } = await runProgram(program, args, options);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${text}`);
  return text;
}

/** A port of this machine that nobody listens at. */
export async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('a listener without a port');
  return address.port;
}

/** Certificates for TLS on this machine, in PEM, made by openssl in `directory`. */
export function makeCertificates(directory: string): void {
  const openssl = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'ca-key.pem', '-out', 'ca-cert.pem');
  const leaves = {
    server: 'subjectAltName=DNS:localhost,IP:127.0.0.1',
    client: 'extendedKeyUsage=clientAuth',
  };
  for (const [name, extension] of Object.entries(leaves)) {
    const signed = [
      '-CA',
      'ca-cert.pem',
      '-CAkey',
      'ca-key.pem',
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ];
    const files = ['-keyout', `${name}-key.pem`, '-out', `${name}-cert.pem`];
    openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, ...signed, '-addext', extension, ...files);
  }
}
