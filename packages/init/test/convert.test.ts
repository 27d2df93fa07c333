/** Tests `ginit convert` and `ginit format` as the command calls them, with files. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Output } from '../src/command/output.ts';
import { convert } from '../src/command/text/convert.ts';
import { format } from '../src/command/text/format.ts';

let directory = '';
const path = (name: string): string => join(directory, name);
const put = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};
const get = (name: string): string => readFileSync(path(name), 'utf8');
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-convert-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command; paths of the directory are left out of what it said. */
async function run(command: typeof convert, ...args: string[]): Promise<Told> {
  const texts = { out: '', err: '' };
  const stream = (name: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk: unknown, _encoding, done) => {
        texts[name] += String(chunk);
        done();
      },
    });
  const output = new Output(stream('out'), stream('err'));
  const code = await command(args, output);
  await output.end();
  return { code, out: texts.out, err: texts.err.replaceAll(`${directory}/`, '') };
}

const XML = '<config>\n  <!-- the only one -->\n  <start name="a" ram="1M"/>\n</config>\n';
const HID = 'config\n+ start a | ram: 1M\n  . the only one\n-\n';

describe('ginit convert', () => {
  it('writes XML as HID and HID as XML', async () => {
    expect(await run(convert, put('a.xml', XML), path('a.hid'))).toEqual({ code: 0, out: '', err: '' });
    expect(get('a.hid')).toBe(HID);
    expect((await run(convert, path('a.hid'), path('b.xml'))).code).toBe(0);
    expect(get('b.xml')).toBe(XML);
    expect(readdirSync(directory).toSorted()).toEqual(['a.hid', 'a.xml', 'b.xml']);
  });

  it('writes to standard output, in the other syntax or in the one that was asked for', async () => {
    expect(await run(convert, put('a', XML))).toEqual({ code: 0, out: HID, err: '' });
    expect((await run(convert, put('b', HID), '-')).out).toBe(XML);
    expect((await run(convert, '--to', 'xml', path('a'))).out).toBe(XML);
    expect((await run(convert, '--to=hid', path('b'))).out).toBe(HID);
  });

  it('names everything that HID cannot hold, and writes nothing', async () => {
    const { code, err } = await run(convert, put('a.xml', '<a b="|">\n<C/></a>'), path('a.hid'));
    expect(code).toBe(2);
    expect(err.split('\n').map((line) => line.split(': HID')[0])).toEqual(['a.xml:1:4', 'a.xml:2:1', '']);
    expect(readdirSync(directory)).toEqual(['a.xml']);
  });

  it('gives the place of what is wrong in either syntax', async () => {
    expect((await run(convert, put('a', '<a>'))).err).toBe('a:1:1: <a> is never closed\n');
    expect((await run(convert, put('b', 'a\n+b\n-\n'))).err).toBe('b:2:1: a space is missing behind "+"\n');
    expect((await run(convert, put('c', ''))).err).toBe('c:1:1: the file is empty\n');
  });

  it.each([
    [[], 'convert: no file given'],
    [['a', 'b', 'c'], 'convert: one file at a time, not also "c"'],
    [['--to', 'yaml', 'a'], '--to yaml: not one of xml, hid'],
    [['missing.xml'], 'cannot read missing.xml: there is no such file'],
  ])('with the arguments %j exits 2 and says why', async (args, text) => {
    const { code, err } = await run(convert, ...args);
    expect(code).toBe(2);
    expect(err.split('\n')[0]).toBe(`ginit: ${text}`);
  });

  it('exits 1 if the file cannot be written', async () => {
    const { code, err } = await run(convert, put('a.xml', XML), path('no/such/place.hid'));
    expect({ code, err }).toEqual({
      code: 1,
      err: 'ginit: cannot write no/such/place.hid: there is no such file\n',
    });
  });

  it('explains itself', async () => {
    expect(await run(convert, '--help')).toMatchObject({
      code: 0,
      out: expect.stringContaining('ginit convert [--to'),
    });
    expect(await run(format, '-h')).toMatchObject({
      code: 0,
      out: expect.stringContaining('ginit format [-i]'),
    });
  });
});

describe('ginit format', () => {
  const SLOPPY = 'config | + start a | ram: 1M | . the only one\n-\n';

  it('writes to standard output, and leaves the file alone', async () => {
    expect(await run(format, put('a.hid', SLOPPY))).toEqual({ code: 0, out: HID, err: '' });
    expect(get('a.hid')).toBe(SLOPPY);
  });

  it('with -i changes files in place: their modes and links stay', async () => {
    chmodSync(put('a.hid', SLOPPY), 0o640);
    symlinkSync('a.hid', path('b.hid'));
    expect(await run(format, '-i', path('b.hid'), put('c.hid', SLOPPY))).toEqual({
      code: 0,
      out: '',
      err: '',
    });
    expect([get('a.hid'), get('c.hid')]).toEqual([HID, HID]);
    expect(statSync(path('a.hid')).mode & 0o777).toBe(0o640);
    expect(readdirSync(directory).toSorted()).toEqual(['a.hid', 'b.hid', 'c.hid']);
  });

  it('does not touch a file that is right as it is', async () => {
    const before = statSync(put('a.hid', HID)).ino;
    expect((await run(format, '-i', path('a.hid'))).code).toBe(0);
    expect(statSync(path('a.hid')).ino).toBe(before);
  });

  it('refuses a wrong text with its place, and goes on with the next file', async () => {
    const { code, err } = await run(format, '-i', put('a.hid', 'config\n + a\n-\n'), put('b.hid', SLOPPY));
    expect(code).toBe(2);
    expect(err).toContain("a.hid:2:2: Genode's tool drops a node");
    expect([get('a.hid'), get('b.hid')]).toEqual(['config\n + a\n-\n', HID]);
  });

  it.each([
    [[], 'format: no file given'],
    [['a', 'b'], 'format: one file at a time without -i'],
    [['-i', '-'], 'format -i: standard input is no file'],
  ])('with the arguments %j exits 2 and says why', async (args, text) => {
    const { code, err } = await run(format, ...args);
    expect(code).toBe(2);
    expect(err.split('\n')[0]).toBe(`ginit: ${text}`);
  });

  it('is for HID only', async () => {
    const { code, err } = await run(format, put('a.xml', XML));
    expect(code).toBe(2);
    expect(err).toBe('ginit: a.xml is XML: format is for HID ("ginit convert" makes HID of it)\n');
  });
});
