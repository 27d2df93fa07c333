import { readdirSync, readFileSync } from 'node:fs';
import { ConfigError, readXml } from '@ginit/core/config';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../src/check/index.ts';
import { formatWarning, readInitConfig } from '../src/model/index.ts';
import { manifestsOf } from './components.ts';

/*
 * Each file of `wrong/` has all its messages, word by word, in the file `.expected` beside it.
 * People see these messages, so a change of one must be deliberate. `vitest -u` writes them anew.
 * The files of `right/` have no messages.
 */

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const names = (directory: string) =>
  readdirSync(new URL(directory, import.meta.url))
    .filter((name) => name.endsWith('.xml'))
    .toSorted();

/** The messages of `ginit check` about a file: errors, then warnings. */
function messages(path: string, file: string): string {
  const options = {
    quota: { ram: 128 * 1024 * 1024, caps: 1000 },
    parentServices: ['ROM', 'LOG', 'PD', 'CPU', 'Timer'],
  };
  try {
    const { config, errors, warnings } = readInitConfig(readXml(read(path), file));
    const found = checkConfig(config, manifestsOf(config), options);
    const lines = [
      ...[...errors, ...found.errors].map((error) => error.message),
      ...[...warnings, ...found.warnings].map(formatWarning),
    ];
    return lines.map((line) => `${line}\n`).join('');
  } catch (error) {
    if (error instanceof ConfigError) return `${error.message}\n`;
    throw error;
  }
}

describe('wrong configurations', () => {
  it.each(names('wrong/'))('%s', async (name) => {
    const found = messages(`wrong/${name}`, name);
    expect(found).not.toBe('');
    await expect(found).toMatchFileSnapshot(`wrong/${name.replace('.xml', '.expected')}`);
  });
});

describe('right configurations', () => {
  it.each(names('right/'))('%s', (name) => {
    expect(messages(`right/${name}`, name)).toBe('');
  });
});
