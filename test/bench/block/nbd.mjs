/**
 * Starts a server of NBD, has fio read and write through it, and stops it: `nbd.mjs SOCKET URI
 * SETTINGS COMMAND…`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [socket, uri, settings, ...command] = process.argv.slice(2);
const FIO = fileURLToPath(new URL('./fio.mjs', import.meta.url));
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 50;

/** Whether somebody listens. */
const listens = () =>
  new Promise((resolve) => {
    const connection = connect(socket);
    connection.on('connect', () => resolve(true)).on('error', () => resolve(false));
    connection.on('connect', () => connection.destroy());
  });

// nbdkit leaves its socket behind.
rmSync(socket, { force: true });
const [file, ...args] = command;
const server = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
const gone = new Promise((resolve) => server.once('close', resolve));
try {
  for (let waitedMs = 0; !(await listens()); waitedMs += LOOK_EVERY_MS) {
    if (waitedMs > PATIENCE_MS || server.exitCode !== null)
      throw new Error('the server of NBD does not listen');
    await sleep(LOOK_EVERY_MS);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [FIO, uri, settings], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  console.log(stdout.trim());
} finally {
  server.kill('SIGTERM');
  await gone;
}
