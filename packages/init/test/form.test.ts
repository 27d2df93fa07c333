/**
 * Tests what the ginit command runs: the bundle, as long as the bundle was made of what was
 * compiled last.
 */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fingerprint, form, STAMP } from '../src/command/form.ts';

const FILES = ['core/tsconfig.tsbuildinfo', 'init/tsconfig.tsbuildinfo'];
let directory = '';
const path = (file: string): string => join(directory, file);
const url = (file: string): URL => pathToFileURL(path(file));
const stamp = (): void =>
  writeFileSync(path(`init/bundle/${STAMP}`), JSON.stringify(fingerprint(url('./'), FILES)));

beforeEach(() => {
  directory = `${mkdtempSync(join(tmpdir(), 'ginit-form-'))}/`;
  for (const part of ['core', 'init/bundle/command']) mkdirSync(path(part), { recursive: true });
  for (const file of [...FILES, 'init/tsconfig.json', 'init/bundle/command/main.js'])
    writeFileSync(path(file), '');
  stamp();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a bundle that was made of what is compiled now runs', () => {
  expect(form(url('init/'))).toBe('bundle');
});

test('after any package was compiled again the modules run, until it is bundled again', () => {
  for (const file of FILES) {
    utimesSync(path(file), 1, 1);
    expect(form(url('init/'))).toBe('dist');
    stamp();
    expect(form(url('init/'))).toBe('bundle');
    writeFileSync(path(file), `other ${file}`);
    expect(form(url('init/'))).toBe('dist');
    stamp();
  }
});

test('without a bundle, or with one that was not finished, the modules run', () => {
  rmSync(path(`init/bundle/${STAMP}`));
  expect(form(url('init/'))).toBe('dist');
  writeFileSync(path(`init/bundle/${STAMP}`), '{"core/tsconf');
  expect(form(url('init/'))).toBe('dist');
  rmSync(path('init/bundle'), { recursive: true });
  expect(form(url('init/'))).toBe('dist');
});

test('a published package has no sources: its bundle runs', () => {
  rmSync(path('init/tsconfig.json'));
  rmSync(path(`init/bundle/${STAMP}`));
  expect(form(url('init/'))).toBe('bundle');
});
