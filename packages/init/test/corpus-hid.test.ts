import { readdirSync, readFileSync } from 'node:fs';
import { hidProblems, readDocument, readNode, writeDocument } from '@ginit/core/config';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../src/check/index.ts';
import { formatWarning, readInitConfig } from '../src/model/index.ts';
import { manifestsOf } from './components.ts';

/*
 * The configs of `right/` and `wrong/` as HID: `ginit check` says the same about them. Only the
 * places differ, and their order where two things stand in one line.
 */

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const names = (directory: string): string[] =>
  readdirSync(new URL(directory, import.meta.url))
    .filter((name) => name.endsWith('.xml'))
    .map((name) => directory + name);

/** The messages of `ginit check`, without places. */
function messages(text: string): string[] {
  const options = {
    quota: { ram: 128 * 1024 * 1024, caps: 1000 },
    parentServices: ['ROM', 'LOG', 'PD', 'CPU', 'Timer'],
  };
  const { config, errors, warnings } = readInitConfig(readNode(text, { name: 'c' }));
  const found = checkConfig(config, manifestsOf(config), options);
  return [
    ...[...errors, ...found.errors].map((error) => error.message),
    ...[...warnings, ...found.warnings].map(formatWarning),
  ]
    .map((message) => message.replaceAll(/\bc:\d+:\d+/g, 'c'))
    .toSorted();
}

/** The text as HID; `undefined` if it is no XML, or nothing that HID can hold. */
function asHid(xml: string): string | undefined {
  try {
    const document = readDocument(xml, 'c');
    return hidProblems(document).length === 0 ? writeDocument(document, 'hid') : undefined;
  } catch {
    return undefined;
  }
}

const texts = [...names('right/'), ...names('wrong/')].map((path) => {
  const xml = read(path);
  return { path, xml, hid: asHid(xml) };
});

describe('a config in HID has the errors and warnings that it has in XML', () => {
  it.each(texts.filter(({ hid }) => hid !== undefined))('$path', ({ xml, hid = '' }) => {
    expect(messages(hid)).toEqual(messages(xml));
  });

  it('and nearly every config can be written as HID', () => {
    const not = texts.filter(({ hid }) => hid === undefined).map(({ path }) => path);
    expect(not.length).toBeLessThan(texts.length / 4);
  });
});
