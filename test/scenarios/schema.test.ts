/**
 * Tests `ginit schema` with xmllint: what it writes is an XML Schema, right configs keep to it, and
 * configs with an unknown attribute do not.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigNode, readXml, writeXml } from '@ginit/core/config';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { GINIT } from '../harness/ginit.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const hasXmllint = spawnSync('xmllint', ['--version']).status === 0;

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-schema-'));
  const { status, stderr } = spawnSync(process.execPath, [GINIT, 'schema', 'ginit.xsd'], {
    cwd: directory,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Which of the texts keep to the schema; what xmllint said about the others. */
function validate(texts: readonly string[]): { readonly valid: boolean[]; readonly said: string } {
  texts.forEach((text, index) => writeFileSync(join(directory, `${index}.xml`), text));
  const files = texts.map((_, index) => `${index}.xml`);
  const options = { cwd: directory, encoding: 'utf8' } as const;
  const { stderr } = spawnSync('xmllint', ['--noout', '--schema', 'ginit.xsd', ...files], options);
  const said = new Set(stderr.split('\n'));
  return { valid: files.map((file) => said.has(`${file} validates`)), said: stderr };
}

const xmlIn = (folder: string): { readonly name: string; readonly text: string }[] =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.xml'))
    .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(join(ROOT, folder, name), 'utf8') }));
/** The configs in a manual that are right: each stands behind a comment with its name. */
const xmlOf = (manual: string): { readonly name: string; readonly text: string }[] =>
  [...readFileSync(join(ROOT, manual), 'utf8').matchAll(/<!-- file (\S+\.xml) -->\n```xml\n([^]*?)```/g)]
    .map(([, name = '', text = '']) => ({ name, text }))
    .filter(({ name }) => !/wrong|faults/.test(name));

/** What a machine lends; it is no config. */
const LENT = 'examples/lend.xml';
const EXAMPLES = xmlIn('examples').filter(({ name }) => name !== LENT);
const RIGHT = [...EXAMPLES, ...xmlIn('packages/init/test/right'), ...xmlOf('docs/configuration.md')];

/**
 * The tree with one more attribute in one element after the other, but for the config of a
 * component.
 */
function* withUnknownAttributes(node: ConfigNode, parent?: ConfigNode): Generator<ConfigNode> {
  const { type, children, text } = node;
  const isOpen = type === 'config' && parent?.type === 'start';
  const position = { file: '', line: 1, column: 1 };
  if (!isOpen) {
    const attributes = [...node.attributes, ['unknown', { value: 'x', position }] as const];
    yield new ConfigNode(type, { attributes, children, text });
  }
  for (const [index, child] of children.entries()) {
    for (const changed of withUnknownAttributes(child, node)) {
      yield new ConfigNode(type, {
        attributes: node.attributes,
        children: children.with(index, changed),
        text,
      });
    }
  }
}

const SKIPPED = hasXmllint
  ? ''
  : ' (skipped: there is no xmllint; it is in the Debian package libxml2-utils)';

describe.skipIf(!hasXmllint)(`the XML Schema of configs${SKIPPED}`, () => {
  it('takes every example and every right config', () => {
    const { valid, said } = validate(RIGHT.map(({ text }) => text));
    const refused = RIGHT.filter((_, index) => !valid[index]).map(({ name }) => name);
    expect(RIGHT.length).toBeGreaterThan(5);
    expect(refused, said).toEqual([]);
  });

  it('refuses every unknown attribute, but in the config element of a component', () => {
    const texts = RIGHT.flatMap(({ name, text }) =>
      name === 'examples/storage.xml' || name.endsWith('right/nested.xml')
        ? [...withUnknownAttributes(readXml(text, name))].map(writeXml)
        : [],
    );
    const { valid } = validate(texts);
    expect(texts.length).toBeGreaterThan(40);
    expect(texts.filter((_, index) => valid[index])).toEqual([]);
  });

  it.each([
    ['a value of the wrong kind', '<config><start name="a" ram="lots"/></config>', false],
    ['a number out of its range', '<config><start name="a" priority="1"/></config>', false],
    ['a number in hexadecimal', '<config><start name="a" caps="0x40"/></config>', true],
    ['a missing attribute', '<config><start ram="1M"/></config>', false],
    ['an unknown element', '<config><strat name="a"/></config>', false],
    ['text where there is none', '<config>text</config>', false],
    [
      'a wrong value in the config of a stock component',
      '<config><start name="a"><config writeable="maybe"/></start></config>',
      false,
    ],
    [
      'an unknown attribute of a policy',
      '<config><start name="a"><config><policy lable="x"/></config></start></config>',
      false,
    ],
    [
      'a config of a component that is not known',
      '<config><start name="a"><config my="1"><own x="1"><y/></own>text</config></start></config>',
      true,
    ],
    [
      'the attribute that leads an editor to the schema',
      '<config xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="ginit.xsd"/>',
      true,
    ],
  ])('judges %s', (_, text, isValid) => {
    expect(validate([text]).valid).toEqual([isValid]);
  });
});

test('the XML Schema explains elements and attributes of init and of stock components', () => {
  const text = readFileSync(join(directory, 'ginit.xsd'), 'utf8');
  expect(text).toContain(
    '<xs:documentation>Quota of capabilities (default: that of &lt;default&gt;)</xs:documentation>',
  );
  expect(text).toContain('<xs:documentation>The child that serves the session</xs:documentation>');
  expect(text).toMatch(/<xs:attribute name="block_size">/);
});
