/** Configs in HID: they run, are simulated, and are refused with places as those in XML are. */
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, GINIT, Workplace } from '../harness/ginit.ts';
import { expectSaysTheSame } from '../harness/simulated-too.ts';

const ECHO = `import { component } from '${CORE_URL}';
import { attribute, element } from '${CORE_URL}/config';
const CONFIG = element('config', 'Says a word', {
  attributes: { word: attribute.text('The word', { required: true }) },
  children: [element('more', 'And a text', { text: 'allowed' })],
});
export default component({ config: CONFIG }, async (env) => {
  const { word, $children } = env.config.read(CONFIG);
  await env.log(word + $children.more.map(({ $node }) => ', ' + JSON.stringify($node.text)).join(''));
  env.exit(0);
});`;

const CONFIG = `config
+ parent-provides
  + service ROM
  + service LOG
  + service PD
  + service CPU
  + service Timer
+ default-route | + any-service | + parent
+ default | caps: 100 | ram: 4M

+ start team | caps: 400 | ram: 16M
  + binary init
  + exit | propagate: yes
  + config
    + parent-provides
      + service ROM
      + service LOG
      + service PD
      + service CPU
    + default-route | + any-service | + parent
    + default | caps: 100 | ram: 4M
    + start echo
      + binary ./echo.mjs
      + exit | propagate: yes
      + config | word: hello world
        + more
          : two | lines,
          :  the second
        x more
          : never
-
what stands here is not looked at
`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write('echo.mjs', ECHO);
});
afterEach(() => place[Symbol.dispose]());

test('a config in HID runs and is simulated, nested configs included', async () => {
  place.write('system.hid', CONFIG);
  const real = await place.run('system.hid');
  expect(real.stderr).toBe('');
  expect(real.lines).toContain('[init -> team -> echo] hello world, "two | lines,\\n the second"');
  expect(real.code).toBe(0);
  await expectSaysTheSame(place, 'system.hid', real);
});

test('what is wrong in a config in HID is told with its place, and nothing is started', async () => {
  place.write('system.hid', CONFIG.replace('+ more\n', '+ mroe\n').replace('word: hello', 'wrod: hello'));
  const wrong = await place.run('system.hid');
  expect({ code: wrong.code, stdout: wrong.stdout }).toEqual({ code: 2, stdout: '' });
  expect(wrong.stderr.trim().split('\n')).toEqual([
    'system.hid:25:7: <config> needs an attribute "word"',
    'system.hid:25:18: unknown attribute "wrod" of <config> (did you mean "word"?)',
    'system.hid:26:9: unknown element <mroe> in <config> (did you mean <more>?)',
  ]);
  place.write('system.hid', CONFIG.replace('    + start echo', '     + start echo'));
  const odd = await place.run('check', 'system.hid');
  expect(odd.code).toBe(2);
  expect(odd.stderr).toBe(
    "system.hid:22:6: Genode's tool drops a node in this column: it is indented by a multiple of 2\n",
  );
});

test('check warns of what Genode itself reads in two ways', async () => {
  place.write(
    'system.hid',
    CONFIG.replace(
      '+ default-route | + any-service | + parent\n',
      '+ default-route | + any-service | + parent\n                                | + any-child\n',
    ),
  );
  const { code, stderr } = await place.run('check', 'system.hid');
  expect(code).toBe(0);
  expect(stderr).toContain(
    "system.hid:9:35: warning: Genode's runtime puts <any-child> elsewhere: begin a line with each sub node",
  );
});

test('convert and format read standard input', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [GINIT, ...args], { input: CONFIG, encoding: 'utf8' });
  const xml = run('convert', '-', '-');
  expect(xml.stderr).toBe('');
  expect(xml.stdout).toContain('<config word="hello world">');
  const formatted = run('format', '-');
  expect({ status: formatted.status, stderr: formatted.stderr }).toEqual({ status: 0, stderr: '' });
  expect(formatted.stdout).toContain('\n+ default-route\n  + any-service\n    + parent\n');
});
