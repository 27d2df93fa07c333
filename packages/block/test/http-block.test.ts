/** Runs `http_block` against servers that users have. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GinitRun, systemConfig, Workplace } from '../../../test/harness/ginit.ts';
import { makeCertificates, missingOf, mustRun, PATH, runProgram } from '../../../test/harness/programs.ts';

let place: Workplace;
let running: GinitRun | undefined;
let servers: ChildProcess[];
beforeEach(() => {
  place = new Workplace();
  running = undefined;
  servers = [];
});
afterEach(async () => {
  running?.child.kill('SIGTERM');
  await running?.finished;
  expect(await running?.leftOver()).toEqual(running && []);
  for (const server of servers) {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }
  place[Symbol.dispose]();
});

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

async function serve(program: string, args: readonly string[], port: number): Promise<void> {
  servers.push(
    spawn(program, args, { cwd: place.directory, stdio: 'ignore', env: { ...process.env, PATH } }),
  );
  await expect.poll(() => listens(port), { timeout: 20_000 }).toBe(true);
}

/** A web server of the directory `www`, with TLS if told. */
async function nginx(port: number, secure: boolean): Promise<void> {
  const tls = secure
    ? `ssl_certificate ${place.path('server-cert.pem')}; ssl_certificate_key ${place.path('server-key.pem')};`
    : '';
  // As root it would serve as somebody else, who may not look into the directory of a test.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${place.path(name)};`)
    .join(' ');
  const config = place.write(
    'nginx.conf',
    `daemon off; master_process off; ${user} pid ${place.path('nginx.pid')}; error_log ${place.path('error.log')};
     events {} http { access_log off; ${temporary}
       server { listen 127.0.0.1:${port} ${secure ? 'ssl' : ''}; root ${place.path('www')}; ${tls} } }`,
  );
  await serve('nginx', ['-c', config, '-e', place.path('error.log')], port);
}

function image(name: string, sizeBytes: number): void {
  const bytes = Buffer.alloc(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (Math.imul(i, 2654435761) >>> 24) & 0xff;
  place.write(name, bytes);
}

const disk = (port: number, config: string, attributes = '', grants = ''): string =>
  `<start name="disk" ram="8M" ${attributes}> <binary name="http_block"/> <provides> <service name="Block"/> </provides>
     <host> <tcp connect="127.0.0.1:${port}"/> ${grants} </host> ${config} </start>`;

async function chain(start: string): Promise<void> {
  place.write(
    'config.xml',
    systemConfig(`${start}
    <start name="server" ram="16M"> <binary name="nbd_server"/> <host> <unix listen="out.sock"/> </host>
      <config listen="unix:out.sock"> <export name="out"/> </config>
      <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
    </start>`),
  );
  running = place.start('config.xml');
  await running.until('exports at');
}

async function crashOf(start: string): Promise<string> {
  place.write('config.xml', systemConfig(start));
  running = place.start('config.xml');
  await running.until('crashed');
  return `${running.stdout}${running.stderr}`;
}

const out = (): string => `nbd+unix:///out?socket=${place.path('out.sock')}`;

const lacksTools = missingOf('nginx', 'nbdcopy', 'openssl');
describe.skipIf(lacksTools)(`nginx${lacksTools ? ` (skipped: ${lacksTools})` : ''}`, () => {
  test('an image is read as it is', async () => {
    image('www/disk.img', 5 * 1024 * 1024 + 100);
    const port = await freePort();
    await nginx(port, false);
    await chain(disk(port, `<config uri="http://127.0.0.1:${port}/disk.img"/>`));
    expect(running?.stdout).toContain(
      'there are 5242980 bytes: the last 100 are no whole block of 512 and left out',
    );
    await mustRun('nbdcopy', [out(), place.path('copy.img')]);
    const whole = readFileSync(place.path('www/disk.img'));
    expect(readFileSync(place.path('copy.img')).equals(whole.subarray(0, 5 * 1024 * 1024))).toBe(true);
    // The file is replaced while it is in use.
    writeFileSync(place.path('www/disk.img'), 'something else');
    const { status } = await runProgram('nbdcopy', [out(), place.path('other.img')]);
    expect(status).not.toBe(0);
    await running?.until('Error: read of');
    expect(running?.stdout).toMatch(
      /Error: read of \d+ blocks from \d+ on: (the file has changed|the server has no such range)/,
    );
  });

  test('with TLS, in a jail, by the name in its certificate', async () => {
    image('www/disk.img', 1024 * 1024);
    makeCertificates(place.directory);
    const port = await freePort();
    await nginx(port, true);
    const uri = `uri="https://127.0.0.1:${port}/disk.img"`;
    const jailed = process.platform === 'linux' && process.arch === 'x64' ? 'isolation="jail"' : '';
    const config = `<config ${uri}> <tls authority="ca-cert.pem" name="localhost"/> </config>`;
    await chain(disk(port, config, jailed, '<file path="ca-cert.pem"/>'));
    await mustRun('nbdcopy', [out(), place.path('copy.img')]);
    expect(readFileSync(place.path('copy.img')).equals(readFileSync(place.path('www/disk.img')))).toBe(true);
    running?.child.kill('SIGTERM');
    await running?.finished;
    expect(await crashOf(disk(port, `<config ${uri}/>`))).toMatch(
      /config\.xml:\d+:\d+: socket "127\.0\.0\.1:\d+": TLS: (self-signed certificate|unable to)/,
    );
  });
});

const lacksPython = missingOf('python3');
test.skipIf(lacksPython)(
  `Python's server does not honour ranges, and is refused for that${lacksPython ? ` (${lacksPython})` : ''}`,
  async () => {
    image('www/disk.img', 1024 * 1024);
    const port = await freePort();
    await serve('python3', ['-m', 'http.server', '-b', '127.0.0.1', '-d', 'www', `${port}`], port);
    expect(await crashOf(disk(port, `<config uri="http://127.0.0.1:${port}/disk.img"/>`))).toMatch(
      /config\.xml:\d+:\d+: the server does not honour ranges: it sends the whole/,
    );
    running?.child.kill('SIGTERM');
    await running?.finished;
    expect(await crashOf(disk(port, `<config uri="http://127.0.0.1:${port}/nothing"/>`))).toMatch(
      /config\.xml:\d+:\d+: the server answers with 404/,
    );
  },
);

test.each<[string, string, RegExp]>([
  ['no URI', '<config uri="disk.img"/>', /config\.xml:\d+:\d+: uri "disk\.img" is no URI/],
  [
    'a server that is not granted',
    '<config uri="http://127.0.0.1:2/x"/>',
    /config\.xml:\d+:\d+: <host> grants no such tcp connect \(add <tcp connect="127\.0\.0\.1:2"\/>\)/,
  ],
  [
    'nobody who listens',
    '<config uri="http://127.0.0.1:1/x" retries="0"/>',
    /config\.xml:\d+:\d+: socket "127\.0\.0\.1:1": Unreachable/,
  ],
  [
    'TLS without https',
    '<config uri="http://127.0.0.1:1/x"> <tls/> </config>',
    /config\.xml:\d+:\d+: there is a <tls>, and the uri does not begin with https:/,
  ],
])('%s gives one clear error', async (_, config, message) => {
  expect(await crashOf(disk(1, config))).toMatch(message);
});
