/** Ranges of a file over HTTP, from servers in memory that are slow, broken, or lie. */
import { RpcError } from '@ginit/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { httpPlace } from '../src/http/http-place.ts';
import { RemoteFile, type RemoteFileOptions } from '../src/http_block/remote-file.ts';
import { type ChunkSizes, pipe, type PipeEnd } from './nbd-pipe.ts';

const CONTENT = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) % 251);

/** A request as a server sees it. */
interface Asked {
  readonly path: string;
  readonly first: number;
  readonly last: number;
  /** Counts the requests of all connections. */
  readonly number: number;
}

/** What the server sends: a text, or bytes; nothing at all closes the connection. */
type Answer = (asked: Asked) => Uint8Array | string | undefined;

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

/** A sound answer, with other or more headers if told. */
function sound({ first, last }: Asked, headers: readonly string[] = []): Uint8Array {
  const part = CONTENT.subarray(first, last + 1);
  const head = [
    'HTTP/1.1 206 Partial Content',
    `Content-Range: bytes ${first}-${first + part.byteLength - 1}/${CONTENT.byteLength}`,
    `Content-Length: ${part.byteLength}`,
    'ETag: "1"',
    ...headers,
  ];
  return Buffer.concat([bytesOf(`${head.join('\r\n')}\r\n\r\n`), part]);
}

class Web {
  readonly asked: Asked[] = [];
  connections = 0;
  readonly timeouts = new Set<() => void>();
  pauses = 0;
  answer: Answer;

  constructor(answer: Answer) {
    this.answer = answer;
  }

  open(options: Partial<RemoteFileOptions> = {}, sizes?: ChunkSizes): Promise<RemoteFile> {
    return RemoteFile.open({
      uri: 'http://web:80/disk.img',
      connect: async () => {
        this.connections++;
        const [client, server] = pipe(sizes);
        void this.#serve(server);
        return client;
      },
      clock: {
        sleep: () => {
          this.pauses++;
          return new Promise((resolve) => setImmediate(resolve));
        },
        after: (_, handler) => {
          const fire = (): void => handler();
          this.timeouts.add(fire);
          return () => this.timeouts.delete(fire);
        },
      },
      connections: 3,
      retries: 3,
      timeoutMs: 1000,
      ...options,
    });
  }

  async #serve(end: PipeEnd): Promise<void> {
    let text = '';
    for (let part = await end.read(); part; part = await end.read()) {
      text += Buffer.from(part).toString('latin1');
      const request = /^GET (\S+) HTTP\/1\.1\r\n[^]*?Range: bytes=(\d+)-(\d+)\r\n[^]*?\r\n\r\n/.exec(text);
      if (!request) continue;
      text = text.slice(request[0].length);
      const [, path = '', first, last] = request;
      const asked = { path, first: Number(first), last: Number(last), number: this.asked.length };
      this.asked.push(asked);
      const says = this.answer(asked);
      if (says === undefined) return end.close();
      await end.write(typeof says === 'string' ? bytesOf(says) : says);
      if (typeof says === 'string') return end.end();
    }
  }
}

const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof RpcError ? `${error.code}: ${error.message}` : String(error)),
  );

async function readAll(file: RemoteFile): Promise<Uint8Array> {
  const into = new Uint8Array(CONTENT.byteLength).fill(0xee);
  await file.read(0, into);
  return into;
}

describe('a server of ranges', () => {
  test('gives what was asked for, in chunks of any size, over connections that are kept', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 4 });
    const range = fc.record({ at: fc.nat(4999), bytes: fc.integer({ min: 1, max: 3000 }) });
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.array(range, { maxLength: 12 }),
        fc.boolean(),
        async (cut, ranges, chunked) => {
          const web = new Web((asked) => (chunked ? inChunks(asked) : sound(asked)));
          const file = await web.open({}, cut);
          expect(file.sizeBytes).toBe(5000);
          await Promise.all(
            ranges.map(async ({ at, bytes }) => {
              const into = new Uint8Array(Math.min(bytes, 5000 - at));
              await file.read(at, into);
              expect(Buffer.compare(into, CONTENT.subarray(at, at + into.byteLength))).toBe(0);
            }),
          );
          expect(web.connections).toBeLessThanOrEqual(3);
          await file.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  /** The same body by the transfer coding `chunked`. */
  function inChunks(asked: Asked): Uint8Array {
    const { first, last } = asked;
    const head = `HTTP/1.1 206 x\r\ncontent-range: bytes ${first}-${last}/5000\r\nTransfer-Encoding: chunked\r\nETag: "1"\r\n\r\n`;
    const parts: Uint8Array[] = [bytesOf(head)];
    for (let at = first; at <= last; at += 999) {
      const part = CONTENT.subarray(at, Math.min(last + 1, at + 999));
      parts.push(bytesOf(`${part.byteLength.toString(16)};x=y\r\n`), part, bytesOf('\r\n'));
    }
    return Buffer.concat([...parts, bytesOf('0\r\n\r\n')]);
  }

  test('may send less than it was asked for, as long as it sends something', async () => {
    const web = new Web((asked) => sound({ ...asked, last: Math.min(asked.last, asked.first + 1234) }));
    expect(Buffer.compare(await readAll(await web.open()), CONTENT)).toBe(0);
    expect(web.asked.map(({ first }) => first)).toEqual([0, 0, 1235, 2470, 3705, 4940]);
  });

  test('that fails for a while delays a read; one that fails for good ends it', async () => {
    const failing = (asked: Asked): string | undefined =>
      ['HTTP/1.1 503 x\r\n\r\n', undefined, 'HTTP/1.1 429 x\r\n\r\n'][asked.number % 4];
    const web = new Web((asked) => (asked.number % 4 === 3 ? sound(asked) : failing(asked)));
    const file = await web.open();
    expect(Buffer.compare(await readAll(file), CONTENT)).toBe(0);
    expect(web.pauses).toBe(6);
    web.answer = () => 'HTTP/1.1 500 x\r\n\r\n';
    const before = web.asked.length;
    expect(await reasonOf(readAll(file))).toBe('Passing: the server answers with 500');
    expect(web.asked.length - before).toBe(4);
  });

  test('that says it closes the connection is asked over another one', async () => {
    const web = new Web((asked) => sound(asked, ['Connection: close']));
    const file = await web.open({ retries: 0 });
    expect(Buffer.compare(await readAll(file), CONTENT)).toBe(0);
    expect([web.asked.length, web.connections]).toEqual([2, 2]);
  });

  test('that closes an idle connection costs no retry', async () => {
    const web = new Web((asked) => sound(asked));
    const file = await web.open({ retries: 0 });
    await readAll(file);
    // The connection is idle now: the next request finds it closed, and is made again.
    const next = web.asked.length;
    web.answer = (asked) => (asked.number === next ? undefined : sound(asked));
    expect(Buffer.compare(await readAll(file), CONTENT)).toBe(0);
    expect([web.asked.length, web.pauses]).toEqual([next + 2, 0]);
    expect(web.connections).toBe(2);
  });

  test('that says nothing is given up', async () => {
    const web = new Web((asked) => (asked.number === 0 ? sound(asked) : new Uint8Array(0)));
    const file = await web.open({ retries: 0 });
    const read = reasonOf(readAll(file));
    await expect.poll(() => web.timeouts.size).toBe(1);
    const due = [...web.timeouts];
    for (const fire of due) fire();
    expect(await read).toBe('Passing: the server does not answer in time');
  });

  test('that lets nobody connect is given up as well', async () => {
    const web = new Web((asked) => sound(asked));
    const opening = reasonOf(web.open({ retries: 0, connect: () => new Promise(() => {}) }));
    await expect.poll(() => web.timeouts.size).toBe(1);
    const due = [...web.timeouts];
    for (const fire of due) fire();
    expect(await opening).toBe('Passing: the server does not answer in time');
  });

  test('that has something else there now is not believed', async () => {
    const web = new Web((asked) => sound(asked));
    const file = await web.open();
    web.answer = (asked) => bytesOf(Buffer.from(sound(asked)).toString('latin1').replace('"1"', '"2"'));
    expect(await reasonOf(readAll(file))).toBe('Gone: the file has changed since it was opened');
    web.answer = () => 'HTTP/1.1 404 x\r\n\r\n';
    expect(await reasonOf(readAll(file))).toBe('Gone: the server answers with 404');
  });

  test('that redirects is followed on itself, and nowhere else', async () => {
    const to = (location: string): string => `HTTP/1.1 302 Found\r\nLocation: ${location}\r\n\r\n`;
    const web = new Web((asked) => (asked.path === '/real?x=1' ? sound(asked) : to('/real?x=1')));
    expect((await web.open()).sizeBytes).toBe(5000);
    const away = new Web(() => to('http://elsewhere/disk.img'));
    expect(await reasonOf(away.open())).toContain(
      'redirects to http://elsewhere/disk.img: name that as the uri',
    );
    const circle = new Web(() => to('/disk.img'));
    expect(await reasonOf(circle.open())).toContain('redirects more than 5 times');
  });
});

describe('a server that is none of ranges', () => {
  const range = 'Content-Range: bytes 0-0/5000\r\n';
  test.each<[string, string, string]>([
    ['sends the whole', 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n', 'does not honour ranges'],
    ['speaks something else', 'SSH-2.0-OpenSSH\r\n', 'does not speak HTTP/1.1'],
    ['sends lines without end', 'x'.repeat(20_000), 'a line of the server has more than 8192 bytes'],
    ['sends headers without end', `HTTP/1.1 206 x\r\n${'a: b\r\n'.repeat(1000)}`, 'more than 128 headers'],
    ['sends no header', 'HTTP/1.1 206 x\r\nno header\r\n\r\n', 'malformed'],
    ['ends lines by LF', 'HTTP/1.1 206 x\n\n', 'does not end in CR LF'],
    [
      'has two lengths',
      'HTTP/1.1 206 x\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n',
      'the header content-length twice',
    ],
    ['does not say which range', 'HTTP/1.1 206 x\r\n\r\nx', 'does not say which range'],
    [
      'does not say how much',
      'HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/*\r\n\r\nx',
      'does not say which range',
    ],
    [
      'sends another range',
      'HTTP/1.1 206 x\r\nContent-Range: bytes 1-1/5000\r\n\r\nx',
      'bytes 1 to 1, which nobody has asked for',
    ],
    [
      'sends more',
      'HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/5000\r\n\r\nx',
      'bytes 0 to 9, which nobody has asked for',
    ],
    ['has another length', `HTTP/1.1 206 x\r\n${range}Content-Length: 7\r\n\r\nx`, 'the body has 7 bytes'],
    ['encodes', `HTTP/1.1 206 x\r\n${range}Content-Encoding: gzip\r\n\r\nx`, 'encoded (gzip)'],
    ['has a strange coding', `HTTP/1.1 206 x\r\n${range}Transfer-Encoding: gzip\r\n\r\nx`, 'coding gzip'],
    [
      'has chunks that are too long',
      `HTTP/1.1 206 x\r\n${range}Transfer-Encoding: chunked\r\n\r\nff\r\n`,
      'a chunk of the body is malformed, or too long',
    ],
    [
      'has chunks that are too short',
      `HTTP/1.1 206 x\r\n${range}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'the body ends after 0 of 1 bytes',
    ],
    ['announces for ever', 'HTTP/1.1 100 x\r\n\r\n'.repeat(100), 'announces a response'],
  ])('%s: it is refused at once, and by name', async (_, says, reason) => {
    const web = new Web(() => says);
    expect(await reasonOf(web.open())).toContain(reason);
    expect(web.asked.length).toBe(1);
  });

  test('any bytes at all end in an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, head) => {
        const text = Buffer.from(bytes).toString('latin1');
        const web = new Web(() => (head ? `HTTP/1.1 206 x\r\n${text}` : text));
        expect(await reasonOf(web.open({ retries: 0 }))).toMatch(/^(Ended|Unsuitable): /);
      }),
      { numRuns: 200 },
    );
  });
});

test.each<[string, ReturnType<typeof httpPlace>]>([
  ['http://a/b?c#d', { secure: false, address: 'a:80', path: '/b?c', host: 'a' }],
  ['https://[::1]:8443/', { secure: true, address: '[::1]:8443', path: '/', host: '[::1]:8443' }],
  ['https://a', { secure: true, address: 'a:443', path: '/', host: 'a' }],
  ['ftp://a/b', 'begins neither with http: nor with https:'],
  ['http://me:secret@a/', 'names a user, which is not supported'],
  ['nothing', 'is no URI'],
])('the place of %s', (uri, place) => {
  expect(httpPlace(uri)).toEqual(place);
});
