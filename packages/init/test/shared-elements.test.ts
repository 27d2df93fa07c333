/**
 * A new version of a config shares elements with the one before, and what was found in them is
 * taken over: what is said of it is the same as if there had been none before.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { ConfigError, type ConfigNode, readXml, sharing } from '@ginit/core/config';
import { expect, test } from 'vitest';
import { checkConfig } from '../src/check/index.ts';
import { formatWarning, readInitConfig } from '../src/model/index.ts';
import { manifestsOf } from './components.ts';

const DIRECTORIES = ['right/', 'wrong/'];
const FILES = DIRECTORIES.flatMap((directory) =>
  readdirSync(new URL(directory, import.meta.url))
    .filter((name) => name.endsWith('.xml'))
    .map((name) => directory + name),
);
const OPTIONS = { quota: { ram: 2 ** 27, caps: 1000 }, parentServices: ['ROM', 'LOG', 'PD', 'CPU', 'Timer'] };

/** What becomes of a text when somebody works on it. */
const CHANGES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replace(/ram="4M"/, 'ram="3M"'),
  (text) => text.replace(/(<config)(?![\s\S]*<config)/, '$1 version="x"'),
  (text) => text.replace('<config', '<config verbose="yes"'),
  (text) => text.replace(/name="([^"]*)"(?![\s\S]*name=)/, 'name="other"'),
  (text) => `<!-- one line more -->\n${text}`,
  (text) => text.replace(/\n[^\n]*<start[^\n]*\/>[^\n]*\n/, '\n'),
];

function nodeOf(text: string): ConfigNode | string {
  try {
    return readXml(text, 'x.xml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

function saidOf(node: ConfigNode): { readonly lines: readonly string[]; readonly config: string } {
  const { config, errors, warnings } = readInitConfig(node);
  const found = checkConfig(config, manifestsOf(config), OPTIONS);
  const lines = [
    ...[...errors, ...found.errors].map(({ message }) => message),
    ...[...warnings, ...found.warnings].map(formatWarning),
  ];
  return { lines, config: JSON.stringify(config) };
}

test.each(FILES)(
  '%s: what is said of a changed version, and read of it, does not depend on the one before',
  (file) => {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    const first = nodeOf(text);
    if (typeof first === 'string') return expect(first).not.toBe('');
    let before = first;
    saidOf(before);
    for (const change of CHANGES) {
      const [fresh, again] = [nodeOf(change(text)), nodeOf(change(text))];
      if (typeof fresh === 'string' || typeof again === 'string') continue;
      const shared = sharing(before, again);
      expect(saidOf(shared)).toEqual(saidOf(fresh));
      before = shared;
    }
  },
);

test('a version that changes one child shares all others, which are read once', () => {
  const text = (round: number): string =>
    `<config>\n${['a', 'b', 'c'].map((name) => `<start name="${name}" ram="1M" caps="50"> <config round="${name === 'b' ? round : 0}"/> </start>\n`).join('')}</config>`;
  const read = (node: ConfigNode) => readInitConfig(node).config.starts;
  const [before, now] = [readXml(text(1), 'x.xml'), readXml(text(2), 'x.xml')];
  const old = read(before);
  const shared = sharing(before, now);
  const starts = read(shared);
  expect(starts.map((start, index) => start === old[index])).toEqual([true, false, true]);
  expect(starts[1]?.config?.value('round')).toBe('2');
  expect(sharing(shared, readXml(text(2), 'x.xml'))).toBe(shared);
});
