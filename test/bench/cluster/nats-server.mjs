/** A nats-server for one run of a benchmark, on a port of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LOOK_MS = 10;

/** Starts one with this configuration; it ends with this process. Its URL and process. */
export async function startServer(configuration) {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-bench-nats-'));
  const file = join(directory, 'server.conf');
  writeFileSync(file, configuration);
  const args = ['-c', file, '--addr', '127.0.0.1', '--port', '-1', '--ports_file_dir', directory];
  const server = spawn('nats-server', args, { stdio: 'ignore' });
  process.on('exit', () => {
    server.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  for (;;) {
    const found = readdirSync(directory).find((name) => name.endsWith('.ports'));
    const text = found ? readFileSync(join(directory, found), 'utf8') : '';
    if (text.endsWith('}')) return { url: JSON.parse(text).nats[0], pid: server.pid };
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
