/**
 * Runs `nbd_server` as users do, with the clients that they have: libnbd's tools, QEMU's, fio. Each
 * reads and writes by itself, and another one looks at the result.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type GinitRun, systemConfig, Workplace } from '../../../test/harness/ginit.ts';
import { ginitForEach } from '../../../test/harness/ginit-for-each.ts';
import { JAILABLE } from '../../../test/harness/jailable.ts';
import { skipIfLong } from '../../../test/harness/long.ts';
import {
  freePort,
  makeCertificates,
  missingOf,
  mustRun,
  runProgram,
} from '../../../test/harness/programs.ts';

const MIB = 2 ** 20;

const it = ginitForEach();
const path = (name: string): string => it.place.path(name);

const disk = (name: string, attributes: string): string =>
  `<start name="${name}" ram="40M"> <binary name="ram_block"/> <provides> <service name="Block"/> </provides>
     <config ${attributes}/> </start>`;

const server = (grants: string, config: string, attributes = ''): string =>
  `<start name="server" ram="16M" ${attributes}> <binary name="nbd_server"/> <host> ${grants} </host> ${config}
     <route> <service name="Block" label="disk"> <child name="disk"/> </service>
       <service name="Block"> <child name="other"/> </service> <any-service> <parent/> </any-service> </route>
   </start>`;

const start = (...starts: readonly string[]): Promise<GinitRun> => it.start(starts.join('\n'), 'exports at');

/** One disk of 32 MiB, exported on a socket. */
const simple = (attributes = 'writeable="yes"', size = 'size="32M"', more = ''): Promise<GinitRun> =>
  start(
    disk('disk', size),
    disk('other', 'size="1M" block_size="4096"'),
    server(
      '<unix listen="export.sock"/>',
      `<config listen="unix:export.sock"> <export name="disk" ${attributes}/> ${more} </config>`,
    ),
  );

const uri = (name = 'disk'): string => `nbd+unix:///${name}?socket=${path('export.sock')}`;
const nbdsh = async (...lines: readonly string[]): Promise<string> =>
  mustRun('nbdsh', ['-u', uri(), ...lines.flatMap((line) => ['-c', line])]);
const qemuIo = (commands: readonly string[], target = uri()): Promise<string> =>
  mustRun('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), target]);

/** An image with data and holes. */
function image(name: string, sizeBytes = 32 * MIB): string {
  const bytes = Buffer.alloc(sizeBytes);
  let state = 1;
  for (let at = 0; at < sizeBytes; at += 3 * MIB) {
    for (let i = at; i < Math.min(sizeBytes, at + 100_000); i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[i] = state >>> 24;
    }
  }
  writeFileSync(path(name), bytes);
  return path(name);
}

const lacksTools = missingOf('nbdinfo', 'nbdcopy', 'nbdsh', 'qemu-img', 'qemu-io');
describe.skipIf(lacksTools)(`the usual clients${lacksTools ? ` (skipped: ${lacksTools})` : ''}`, () => {
  test('copy an image in and out by several connections, and it is the same', async () => {
    await simple();
    const source = image('source.img');
    await mustRun('nbdcopy', ['--connections=4', '--flush', source, uri()]);
    await mustRun('nbdcopy', [uri(), path('back.img')]);
    expect(readFileSync(path('back.img')).equals(readFileSync(source))).toBe(true);
    expect(await mustRun('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', source, uri()])).toContain(
      'identical',
    );
    await mustRun('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', uri(), path('copy.qcow2')]);
    await mustRun('qemu-img', ['convert', '-n', '-f', 'qcow2', '-O', 'raw', path('copy.qcow2'), uri()]);
    expect(await mustRun('qemu-img', ['compare', '-F', 'raw', path('copy.qcow2'), uri()])).toContain(
      'identical',
    );
  });

  test('are told what the export can do, and what they may not', async () => {
    await simple('writeable="yes" description="the disk"', 'size="32M"', '<export name="other"/>');
    const { exports } = JSON.parse(await mustRun('nbdinfo', ['--json', '--list', uri()]));
    expect(exports).toMatchObject([
      {
        'export-name': 'disk',
        description: 'the disk',
        'export-size': 32 * MIB,
        is_read_only: false,
        can_flush: true,
        can_fua: true,
        can_trim: true,
        can_zero: true,
        can_df: true,
        can_multi_conn: true,
        block_size_minimum: 512,
        block_size_maximum: 32 * MIB,
        contexts: ['base:allocation'],
      },
      { 'export-name': 'other', 'export-size': MIB, is_read_only: true, block_size_minimum: 4096 },
    ]);
    // The empty name is the first export.
    expect(await mustRun('nbdinfo', ['--size', uri('')])).toBe(`${32 * MIB}\n`);
    const unknown = await runProgram('nbdinfo', [uri('nothing')]);
    expect(unknown.status).not.toBe(0);
    expect(unknown.text).toMatch(/has no export|no export of that name|server replied with error/i);
    const refused = await runProgram('qemu-io', ['-f', 'raw', '-c', 'write 0 512', uri('other')]);
    expect(refused.text).toMatch(/read-only|Permission denied/i);
  });

  test('write, discard, zero and flush in patterns that another one reads', async () => {
    await simple();
    const text = await qemuIo([
      'write -P 1 0 1M',
      'write -P 2 -f 512 512',
      'write -P 3 1000 5000',
      'write -z 65536 65536',
      'write -z -u 140000 1000',
      'discard 512K 64K',
      'aio_write -P 4 2M 64K',
      'aio_write -P 5 3M 64K',
      'aio_flush',
      'flush',
      'read -P 1 0 512',
      'read -P 2 512 488',
      'read -P 3 1000 5000',
      'read -P 0 65536 65536',
      'read -P 0 140000 1000',
      'read -P 1 141000 1000',
    ]);
    expect(text).not.toMatch(/fail|error/i);
    const says = await nbdsh(
      'assert h.pread(65536, 2*1024*1024) == b"\\x04" * 65536',
      'assert h.pread(65536, 3*1024*1024) == b"\\x05" * 65536',
      'assert h.get_structured_replies_negotiated()',
      'print("checked")',
    );
    expect(says).toContain('checked');
  });

  test('may forgo structured replies, block sizes and the newer handshake', async () => {
    await simple();
    const options = 'h.set_request_structured_replies(False); h.set_request_block_size(False)';
    const says = await mustRun('nbdsh', [
      '-c',
      options,
      '-c',
      `h.connect_uri("${uri()}")`,
      '-c',
      'h.pwrite(b"x" * 5000, 777)',
      '-c',
      'assert h.pread(7000, 0) == b"\\0" * 777 + b"x" * 5000 + b"\\0" * 1223',
      '-c',
      'assert not h.get_structured_replies_negotiated(); print("checked")',
    ]);
    expect(says).toContain('checked');
    // EXPORT_NAME: what is left when the fixed handshake is not used.
    const old = await mustRun('nbdsh', [
      '-c',
      'h.set_handshake_flags(0)',
      '-c',
      `h.connect_uri("${uri()}")`,
      '-c',
      'print(h.get_protocol(), h.get_size())',
    ]);
    expect(old).toContain(`newstyle ${32 * MIB}`);
  });

  test('write parts of large blocks side by side, and none is lost', async () => {
    await simple('writeable="yes"', 'size="1M" block_size="65536"');
    const says = await nbdsh(
      'h.set_strict_mode(0)',
      'cookies = [h.aio_pwrite(bytes([i % 250 + 1]) * 1000, i * 1000) for i in range(64)]',
      'while cookies:\n' +
        '    cookies = [c for c in cookies if not h.aio_command_completed(c)]\n' +
        '    if cookies: h.poll(-1)\n',
      'assert h.pread(64000, 0) == b"".join(bytes([i % 250 + 1]) * 1000 for i in range(64))',
      'print("checked")',
    );
    expect(says).toContain('checked');
  });

  test('learn where zeros are, if the config says so', async () => {
    await simple('writeable="yes" detect_zeroes="yes"');
    await mustRun('nbdcopy', [image('source.img'), uri()]);
    const map: { offset: number; length: number; type: number }[] = JSON.parse(
      await mustRun('nbdinfo', ['--map', '--json', uri()]),
    );
    expect(map.reduce((sum, { length }) => sum + length, 0)).toBe(32 * MIB);
    expect(new Set(map.map(({ type }) => type))).toEqual(new Set([0, 2]));
    const data = map.filter(({ type }) => type === 0).map(({ offset }) => offset);
    expect(data).toEqual(Array.from({ length: 11 }, (_, index) => index * 3 * MIB));
  });

  test('get what they asked for when the server is stopped, and the socket is gone', async () => {
    const system = await simple();
    await mustRun('nbdcopy', [image('source.img'), uri()]);
    const [connected, stopped] = [path('connected'), path('stopped')];
    const client = runProgram('nbdsh', [
      '-u',
      uri(),
      '-c',
      `import os, time; h.pread(512, 0); open("${connected}", "w").close()`,
      '-c',
      `while not os.path.exists("${stopped}"): time.sleep(0.01)`,
      '-c',
      'try:\n    h.pread(512, 0)\nexcept nbd.Error as e:\n    print("ended")\n',
    ]);
    await expect.poll(() => existsSync(connected), { timeout: 20_000 }).toBe(true);
    system.child.kill('SIGTERM');
    const { code } = await system.finished;
    expect(code).toBe(0);
    expect(existsSync(path('export.sock'))).toBe(false);
    writeFileSync(stopped, '');
    expect((await client).stdout).toContain('ended');
  });
});

const lacksFio = missingOf('fio');
test.skipIf(lacksFio)(
  `fio verifies what it has written at depth 32${lacksFio ? ` (${lacksFio})` : ''}`,
  async () => {
    await simple();
    const job = ['--name=job', '--ioengine=nbd', `--uri=${uri()}`, '--rw=randrw', '--bs=4k', '--iodepth=32'];
    const more = ['--size=8m', '--verify=crc32c', '--randseed=7'];
    const text = await mustRun('fio', [...job, ...more], { cwd: it.place.directory });
    expect(text).toMatch(/err= 0/);
  },
);

const lacksTls = missingOf('openssl', 'nbdinfo', 'qemu-img', 'nbdcopy');
describe.skipIf(lacksTls)(`TLS${lacksTls ? ` (skipped: ${lacksTls})` : ''}`, () => {
  const files = ['server-cert', 'server-key', 'ca-cert']
    .map((name) => `<file path="${name}.pem"/>`)
    .join(' ');
  const secured = async (attributes = ''): Promise<number> => {
    makeCertificates(it.place.directory);
    const port = await freePort();
    await start(
      disk('disk', 'size="4M"'),
      disk('other', 'size="1M"'),
      server(
        `<tcp listen="127.0.0.1:${port}"/> ${files}`,
        `<config listen="127.0.0.1:${port}">
           <tls certificate="server-cert.pem" key="server-key.pem" authority="ca-cert.pem"/>
           <export name="disk" writeable="yes"/> </config>`,
        attributes,
      ),
    );
    return port;
  };

  async function certified(attributes: string): Promise<void> {
    const port = await secured(attributes);
    const target = `nbds://localhost:${port}/disk?tls-certificates=${it.place.directory}`;
    expect(await mustRun('nbdinfo', [target])).toContain('with TLS');
    const source = image('source.img', 4 * MIB);
    await mustRun('nbdcopy', [source, target]);
    const credentials = `tls-creds-x509,id=tls0,endpoint=client,dir=${it.place.directory}`;
    const options = `driver=nbd,host=localhost,port=${port},export=disk,tls-creds=tls0`;
    await mustRun('qemu-img', [
      'convert',
      '--object',
      credentials,
      '--image-opts',
      options,
      path('back.img'),
    ]);
    expect(readFileSync(path('back.img')).equals(readFileSync(source))).toBe(true);
  }

  test('serves clients with a certificate', () => certified(''));
  test.skipIf(!JAILABLE)(
    'serves clients with a certificate, in a jail (jails are for Linux on x64)',
    async (context) => {
      skipIfLong(context);
      await certified('isolation="jail"');
    },
  );

  test('refuses clients without TLS, without a certificate, or with one of somebody else', async () => {
    const port = await secured();
    const open = await runProgram('nbdinfo', [`nbd://localhost:${port}/disk`]);
    expect(open.status).not.toBe(0);
    expect(open.text).toMatch(/TLS/);
    const others = new Workplace();
    try {
      makeCertificates(others.directory);
      copyFileSync(path('ca-cert.pem'), others.path('ca-cert.pem'));
      const strange = await runProgram('nbdinfo', [
        `nbds://localhost:${port}/disk?tls-certificates=${others.directory}`,
      ]);
      expect(strange.status).not.toBe(0);
      await expect.poll(() => it.text).toMatch(/Warning: client 127\.0\.0\.1:\d+: socket ".*": TLS: /);
    } finally {
      others[Symbol.dispose]();
    }
    // The server lives on.
    expect(
      await mustRun('nbdinfo', [
        '--size',
        `nbds://localhost:${port}/disk?tls-certificates=${it.place.directory}`,
      ]),
    ).toBe(`${4 * MIB}\n`);
  });
});

describe('a config that cannot work gives one clear error', () => {
  test.for<[string, string, string, RegExp]>([
    [
      'an address that others can reach, without TLS',
      '<tcp listen="0.0.0.0:0"/>',
      '<config listen="0.0.0.0:0"> <export name="disk"/> </config>',
      /config\.xml:\d+:\d+: others can listen in at "0\.0\.0\.0:0": it needs a <tls>, or an address of loopback/,
    ],
    [
      'an address that is not granted',
      '<unix listen="export.sock"/>',
      '<config listen="unix:other.sock"> <export name="disk"/> </config>',
      /config\.xml:\d+:\d+: <host> grants no such unix listen \(add <unix listen="other\.sock"\/>\)/,
    ],
    [
      'two exports of one name',
      '<unix listen="export.sock"/>',
      '<config listen="unix:export.sock"> <export name="disk"/> <export name="disk"/> </config>',
      /config\.xml:\d+:\d+: there is another <export> with the name "disk"/,
    ],
    [
      'an export without a session',
      '<unix listen="export.sock"/>',
      '<config listen="unix:export.sock"> <export name="x" label="disk" tx_buf_size="60M"/> </config>',
      /config\.xml:\d+:\d+: export "x": Block session "disk": OUT_OF_RAM/,
    ],
    [
      'a certificate that is nowhere',
      '<unix listen="export.sock"/>',
      '<config listen="unix:export.sock"> <tls certificate="a.pem" key="b.pem"/> <export name="disk"/> </config>',
      /config\.xml:\d+:\d+: no <file path="a\.pem"\/> is granted, and ROM session "a\.pem": DENIED/,
    ],
    [
      'a certificate that is none',
      '<unix listen="export.sock"/> <file path="config.xml"/>',
      `<config listen="unix:export.sock"> <tls certificate="config.xml" key="b.pem"/> <export name="disk"/> </config>`,
      /config\.xml:\d+:\d+: file "config\.xml": it is no PEM/,
    ],
  ])('%s', async ([name, grants, config, message], context) => {
    skipIfLong(context, /granted$|nowhere$|is none$/.test(name));
    const disks = `${disk('disk', 'size="1M"')} ${disk('other', 'size="1M"')}`;
    expect(await it.crashOf(`${disks} ${server(grants, config)}`)).toMatch(message);
  });

  test('and what the schema sees is refused before anything starts', async () => {
    it.place.write(
      'config.xml',
      systemConfig(
        `${disk('disk', 'size="1M"')} ${disk('other', 'size="1M"')} ${server('<unix listen="export.sock"/>', '<config listen="unix:export.sock" connections="0"/>')}`,
      ),
    );
    const { code, stderr } = await it.place.run('config.xml');
    expect(code).toBe(2);
    expect(stderr).toMatch(/config\.xml:\d+:\d+: attribute "connections"/);
    expect(stderr).toMatch(/<export>/);
  });
});
