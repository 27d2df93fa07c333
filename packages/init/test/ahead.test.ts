/** Tests which processes are started while a config is still being checked. */
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { processesAhead } from '../src/command/ahead.ts';
import { readInitConfig } from '../src/model/index.ts';
import { readXml } from '@ginit/core/config';

const ahead = (...starts: readonly string[]): readonly string[] => {
  const text = `<config><default caps="10" ram="1M"/>${starts.join('')}</config>`;
  return processesAhead(readInitConfig(readXml(text, 'ahead.xml')).config);
};
const start = (name: string, attributes = '', content = ''): string =>
  `<start name="${name}" ${attributes}> <binary name="x"/> ${content} </start>`;
const FILE = '<file path="disk.img" access="rw"/>';

test('init gets a process ahead, and all children that are threads share one', () => {
  expect(ahead()).toEqual(['jailed']);
  expect(ahead(start('a'), start('b'), start('c', 'isolation="thread"'))).toEqual(['jailed', 'shared']);
});

test('a child with a process of its own gets one ahead, in the order of the config', () => {
  expect(ahead(start('a', 'isolation="process"'))).toEqual(['jailed', 'jailed']);
  expect(ahead(start('a', 'isolation="process" jail="no"'))).toEqual(['jailed', 'own']);
  expect(ahead(start('a', '', `<host> ${FILE} </host>`))).toEqual(['jailed', 'own']);
  // A driver's thread pool has another size, so it shares no process that was started ahead.
  expect(ahead(start('a', 'isolation="jail"', `<host> ${FILE} </host>`))).toEqual(['jailed']);
  if (availableParallelism() < 2) return;
  expect(ahead(start('a'), start('b', 'isolation="process"'))).toEqual(['jailed', 'shared', 'jailed']);
  expect(ahead(start('b', 'isolation="process"'), start('a'))).toEqual(['jailed', 'jailed', 'shared']);
});

test('a driver in a domain shares its process; one with a pool of its own size is started when it is time', () => {
  expect(ahead(start('a', 'domain="d"', `<host> ${FILE} </host>`))).toEqual(['jailed', 'shared']);
  expect(ahead(start('a', '', `<host depth="3"> ${FILE} </host>`))).toEqual(['jailed']);
});

test('no more processes are started ahead than can start side by side, besides the one of init', () => {
  const many = Array.from({ length: 300 }, (_, index) => start(`a${index}`, 'isolation="process"'));
  expect(ahead(...many)).toHaveLength(1 + Math.min(300, availableParallelism()));
});
