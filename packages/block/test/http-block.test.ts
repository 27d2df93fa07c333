/** Runs `http_block` against servers that users have. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import type { GinitRun } from '../../../test/harness/ginit.ts';
import { ginitForEach } from '../../../test/harness/ginit-for-each.ts';
import { JAILABLE } from '../../../test/harness/jailable.ts';
import {
  freePort,
  makeCertificates,
  missingOf,
  mustRun,
  runProgram,
} from '../../../test/harness/programs.ts';

const it = ginitForEach();
const path = (name: string): string => it.place.path(name);

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

async function serve(program: string, args: readonly string[], port: number): Promise<void> {
  it.serve(program, args);
  await expect.poll(() => listens(port), { timeout: 20_000 }).toBe(true);
}

/** A web server of the directory `www`, with TLS if told. */
async function nginx(port: number, secure: boolean): Promise<void> {
  const tls = secure
    ? `ssl_certificate ${path('server-cert.pem')}; ssl_certificate_key ${path('server-key.pem')};`
    : '';
  // As root it would serve as somebody else, who may not look into the directory of a test.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${path(name)};`)
    .join(' ');
  const config = it.place.write(
    'nginx.conf',
    `daemon off; master_process off; ${user} pid ${path('nginx.pid')}; error_log ${path('error.log')};
     events {} http { access_log off; ${temporary}
       server { listen 127.0.0.1:${port} ${secure ? 'ssl' : ''}; root ${path('www')}; ${tls} } }`,
  );
  await serve('nginx', ['-c', config, '-e', path('error.log')], port);
}

function image(name: string, sizeBytes: number): void {
  const bytes = Buffer.alloc(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (Math.imul(i, 2654435761) >>> 24) & 0xff;
  it.place.write(name, bytes);
}

const disk = (port: number, config: string, attributes = '', grants = ''): string =>
  `<start name="disk" ram="8M" ${attributes}> <binary name="http_block"/> <provides> <service name="Block"/> </provides>
     <host> <tcp connect="127.0.0.1:${port}"/> ${grants} </host> ${config} </start>`;

const chain = (start: string): Promise<GinitRun> =>
  it.start(
    `${start}
    <start name="server" ram="16M"> <binary name="nbd_server"/> <host> <unix listen="out.sock"/> </host>
      <config listen="unix:out.sock"> <export name="out"/> </config>
      <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
    </start>`,
    'exports at',
  );

const out = (): string => `nbd+unix:///out?socket=${path('out.sock')}`;

const lacksTools = missingOf('nginx', 'nbdcopy', 'openssl');
describe.skipIf(lacksTools)(`nginx${lacksTools ? ` (skipped: ${lacksTools})` : ''}`, () => {
  test('an image is read as it is', async () => {
    image('www/disk.img', 5 * 1024 * 1024 + 100);
    const port = await freePort();
    await nginx(port, false);
    const run = await chain(disk(port, `<config uri="http://127.0.0.1:${port}/disk.img"/>`));
    expect(run.stdout).toContain(
      'there are 5242980 bytes: the last 100 are no whole block of 512 and left out',
    );
    await mustRun('nbdcopy', [out(), path('copy.img')]);
    const whole = readFileSync(path('www/disk.img'));
    expect(readFileSync(path('copy.img')).equals(whole.subarray(0, 5 * 1024 * 1024))).toBe(true);
    // The file is replaced while it is in use.
    writeFileSync(path('www/disk.img'), 'something else');
    const { status } = await runProgram('nbdcopy', [out(), path('other.img')]);
    expect(status).not.toBe(0);
    await run.until('Error: read of');
    expect(run.stdout).toMatch(
      /Error: read of \d+ blocks from \d+ on: (the file has changed|the server has no such range)/,
    );
  });

  async function secured(jailed: string): Promise<void> {
    image('www/disk.img', 1024 * 1024);
    makeCertificates(it.place.directory);
    const port = await freePort();
    await nginx(port, true);
    const uri = `uri="https://127.0.0.1:${port}/disk.img"`;
    const config = `<config ${uri}> <tls authority="ca-cert.pem" name="localhost"/> </config>`;
    await chain(disk(port, config, jailed, '<file path="ca-cert.pem"/>'));
    await mustRun('nbdcopy', [out(), path('copy.img')]);
    expect(readFileSync(path('copy.img')).equals(readFileSync(path('www/disk.img')))).toBe(true);
    expect(await it.crashOf(disk(port, `<config ${uri}/>`))).toMatch(
      /config\.xml:\d+:\d+: socket "127\.0\.0\.1:\d+": TLS: (self-signed certificate|unable to)/,
    );
  }

  test('with TLS, by the name in its certificate', () => secured(''));
  test.skipIf(!JAILABLE)('with TLS, in a jail (jails are for Linux on x64)', async (context) => {
    skipIfLong(context);
    await secured('isolation="jail"');
  });
});

const lacksPython = missingOf('python3');
test.skipIf(lacksPython)(
  `Python's server does not honour ranges, and is refused for that${lacksPython ? ` (${lacksPython})` : ''}`,
  async () => {
    image('www/disk.img', 1024 * 1024);
    const port = await freePort();
    await serve('python3', ['-m', 'http.server', '-b', '127.0.0.1', '-d', 'www', `${port}`], port);
    expect(await it.crashOf(disk(port, `<config uri="http://127.0.0.1:${port}/disk.img"/>`))).toMatch(
      /config\.xml:\d+:\d+: the server does not honour ranges: it sends the whole/,
    );
    expect(await it.crashOf(disk(port, `<config uri="http://127.0.0.1:${port}/nothing"/>`))).toMatch(
      /config\.xml:\d+:\d+: the server answers with 404/,
    );
  },
);

test.for<[string, string, RegExp]>([
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
])('%s gives one clear error', async ([name, config, message], context) => {
  skipIfLong(context, /^(nobody|TLS)/.test(name));
  expect(await it.crashOf(disk(1, config))).toMatch(message);
});
