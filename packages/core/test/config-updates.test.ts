/** `env.config`: the newest version, read by its schema. */
import { expect, test } from 'vitest';
import { attribute, ConfigNode, element } from '../src/config/index.ts';
import { Config } from '../src/runtime/config.ts';
import { faultText } from '../src/runtime/fault-text.ts';

const CONFIG = element('config', 'A clock', {
  attributes: {
    rate: attribute.integer('Hertz', { fallback: 100, min: 1 }),
    name: attribute.text('Whose', { required: true }),
  },
});

const at = (column: number) => ({ file: 'served.xml', line: 3, column });

function version(attributes: Readonly<Record<string, string>>): ConfigNode {
  return new ConfigNode('config', {
    position: at(1),
    attributes: Object.entries(attributes).map(([name, value], index) => [
      name,
      { value, position: at(9 + 10 * index) },
    ]),
  });
}

test('each version is read by the schema, and one that does not fit is refused with its place', async () => {
  const said: string[] = [];
  const reported: string[] = [];
  const config = new Config(version({ name: 'a' }), (error) => reported.push(String(error)));
  const say = (): void => {
    const { name, rate } = config.read(CONFIG);
    said.push(`${name} ${rate}`);
  };
  say();
  config.onUpdate(say);
  for (const attributes of [
    { name: 'b', rate: '50' },
    { name: 'c', rate: '0' },
    { name: 'd', colour: 'red' },
    { rate: '7' },
    { name: 'f' },
  ]) {
    await config.replace(version(attributes));
  }
  expect(said).toEqual(['a 100', 'b 50', 'f 100']);
  expect(reported).toEqual([
    'ConfigError: served.xml:3:19: attribute "rate" of <config> is "0", which is less than 1',
    'ConfigError: served.xml:3:19: unknown attribute "colour" of <config>',
    'ConfigError: served.xml:3:1: <config> needs an attribute "name"',
  ]);
});

test('a version that is refused is told by its place, without the stack of who has read it', async () => {
  const told: string[] = [];
  const config = new Config(version({ name: 'a' }), (error) => told.push(faultText(error)));
  config.onUpdate(() => void config.read(CONFIG));
  await config.replace(version({ rate: '7' }));
  expect(told).toEqual(['served.xml:3:1: <config> needs an attribute "name"']);
  expect(faultText(new TypeError('a fault'))).toMatch(/^TypeError: a fault\n +at /);
});
