/**
 * Tests that reading a manifest, which runs the top-level code of a component, gives that code no
 * more of the host than the component gets. Each attempt goes past the import rule, as hostile code
 * would, and is reported in the manifest; without a jail each succeeds.
 */
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
// The code that it starts is compiled.
import { ManifestReader } from '../../packages/core/dist/supervisor.js';
import { ComponentImports } from '../../packages/init/dist/command/component-imports.js';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';
import { installWithoutKoffi } from '../harness/without-koffi.ts';

const BACK_DOOR = `const host = Reflect.get(globalThis, ['pro', 'cess'].join(''));
const built = (name) => Reflect.apply(Reflect.get(host, ['get', 'Builtin', 'Module'].join('')), host, ['node:' + name]);
const fs = built('fs');
`;
const ATTEMPTS = `import { component } from '${CORE_URL}';
import settings from './settings.json' with { type: 'json' };
${BACK_DOOR}
const { secret, made, directory, port } = settings;
const connected = () => new Promise((resolve, reject) => {
  const socket = built('net').connect(port, '127.0.0.1');
  socket.once('error', reject).once('connect', () => resolve(socket.destroy()));
});
const attempts = {
  'read a file': () => fs.readFileSync(secret),
  'read a file in the pool': () => fs.promises.readFile(secret),
  'list a directory': () => fs.readdirSync(directory),
  'read the environment of ginit': () => fs.readFileSync('/proc/' + host.ppid + '/environ'),
  'write a file': () => fs.writeFileSync(made, 'x'),
  'connect': connected,
  'listen': () => new Promise((resolve, reject) => {
    const server = built('net').createServer().listen(0, '127.0.0.1', () => resolve(server.close())).once('error', reject);
  }),
  'run a program': () => {
    const { error } = built('child_process').spawnSync(host.execPath, ['-e', '0']);
    if (error) throw error;
  },
  'signal ginit': () => host.kill(host.ppid, 0),
};
const outcomes = {};
for (const [name, attempt] of Object.entries(attempts)) {
  outcomes[name] = 'open';
  try {
    await attempt();
  } catch (error) {
    outcomes[name] = String(error.code ?? error.message);
  }
}
outcomes['read a file of its own'] = 'open';
try {
  fs.readFileSync(new URL(import.meta.url));
} catch (error) {
  outcomes['read a file of its own'] = error.code;
}
export default component({ config: { type: 'config', doc: JSON.stringify(outcomes) } }, () => {});
`;
/**
 * A component that writes a file while its manifest is read, if it can. Its start node grants
 * nothing.
 */
const WRITER = (file: string): string => `import { component } from '${CORE_URL}';
${BACK_DOOR}
try { fs.writeFileSync(${JSON.stringify(file)}, 'x'); } catch {}
export default component(() => {});
`;

let place: Workplace;
let server: Server;
beforeEach(async () => {
  place = new Workplace();
  server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const settings = {
    secret: place.write('secret', 'text'),
    made: place.path('made'),
    directory: place.directory,
    port: typeof address === 'object' ? address?.port : undefined,
  };
  place.write('settings.json', JSON.stringify(settings));
  place.write('attempts.mjs', ATTEMPTS);
});
afterEach(() => {
  server.close();
  place[Symbol.dispose]();
});

async function outcomes(jailed: boolean): Promise<Record<string, string>> {
  const moduleUrl = pathToFileURL(join(place.directory, 'attempts.mjs')).href;
  const files = jailed ? new ComponentImports(place.directory).readable(moduleUrl) : undefined;
  const answer = (await new ManifestReader(1).read([{ moduleUrl, files }])).get(moduleUrl);
  expect(answer).toMatchObject({ manifest: { configSchema: { doc: expect.any(String) } } });
  const { doc } = (answer as { manifest: { configSchema: { doc: string } } }).manifest.configSchema;
  return JSON.parse(doc) as Record<string, string>;
}

describe.skipIf(!JAILABLE)('the top-level code of a component (jails are for Linux on x64)', () => {
  test('reaches its own files and nothing else when its manifest is read', async () => {
    const { 'read a file of its own': own, ...others } = await outcomes(true);
    expect(own).toBe('open');
    expect(Object.entries(others).filter(([, outcome]) => outcome === 'open')).toEqual([]);
    expect(Object.keys(others)).toHaveLength(9);
    expect(existsSync(place.path('made'))).toBe(false);
  });

  test('reaches the host where it is read without a jail', async () => {
    const found = await outcomes(false);
    expect(Object.entries(found).filter(([, outcome]) => outcome !== 'open')).toEqual([]);
  });

  test('writes nothing in a check, whether it will run in a jail or in a thread, and nothing in a help', async () => {
    const file = place.path('written');
    place.write('writer.mjs', WRITER(file));
    const binary = '<binary name="./writer.mjs"/>';
    place.write(
      'config.xml',
      systemConfig(
        `<start name="a" isolation="jail"> ${binary} </start> <start name="b"> ${binary} </start>`,
      ),
    );
    const { code, stderr } = await place.run('check', 'config.xml');
    expect(code, stderr).toBe(0);
    const help = await place.run('help', './writer.mjs');
    expect(help.code, help.stderr).toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  test('of a driver is refused in a jail with the reason, and runs without a jail if the driver will', async () => {
    const file = place.path('written');
    place.write(
      'driver.mjs',
      `import { component } from '${CORE_URL}';\nimport { writeFileSync } from 'node:fs';
writeFileSync('${file}', 'x');\nexport default component({ host: ['file'] }, () => {});\n`,
    );
    const config = (attributes: string): string =>
      systemConfig(`<start name="a" ${attributes}> <binary name="./driver.mjs"/>
        <host> <file path="written" access="rw"/> </host> </start>`);
    place.write('config.xml', config('isolation="jail"'));
    const refused = await place.run('check', 'config.xml');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /component "\.\/driver\.mjs" cannot be used: .*EACCES.*read in a jail without grants/,
    );
    expect(existsSync(file)).toBe(false);
    place.write('config.xml', config(''));
    const free = await place.run('check', 'config.xml');
    expect(free.code, free.stderr).toBe(0);
    expect(existsSync(file)).toBe(true);
  });
});

test('where no jail is possible, a check says so in one line, and goes on', async () => {
  const command = installWithoutKoffi(place.directory);
  place.write('idle.mjs', `import { component } from '@ginit/core';\nexport default component(() => {});\n`);
  place.write('config.xml', systemConfig('<start name="a"> <binary name="./idle.mjs"/> </start>'));
  const { code, stderr } = await new GinitRun(['check', 'config.xml'], place.directory, command).finished;
  expect(code, stderr).toBe(0);
  expect(stderr.match(/warning: processes are not jailed: .*koffi/g)).toHaveLength(1);
});
