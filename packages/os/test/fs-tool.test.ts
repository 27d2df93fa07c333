/**
 * fs_tool in a system of its own, on a file system in memory behind the File_system server library.
 */
import { createHash } from 'node:crypto';
import { component, RpcError } from '@ginit/core';
import { readConfig, validate, readXml } from '@ginit/core/config';
import { FileSystem, FILE_SYSTEM_ERRORS, serveFileSystem } from '@ginit/core/file_system';
import fsTool from '@ginit/os/fs_tool';
import { describe, expect, test } from 'vitest';
import {
  type CarrierKind,
  finish,
  type InProcessSystem,
  startSystem,
} from '../../../test/harness/in-process-system.ts';
import { MemoryFileSystem } from '../../core/test/file-system-memory.ts';
import { SERVER_CONFIG } from '../../core/test/file-system-system.ts';
import { readSteps } from '../src/fs_tool/operation.ts';
import { FS_TOOL_CONFIG } from '../src/fs_tool/schema.ts';

interface Result {
  readonly code: number | undefined;
  /** The lines that fs_tool printed, without the label. */
  readonly lines: readonly string[];
}

async function script(
  operations: string,
  options: {
    readonly kind?: CarrierKind;
    readonly backend?: MemoryFileSystem;
    readonly attributes?: string;
    readonly policy?: string;
    /** For tests that disturb the system: its remains are not checked then. */
    readonly started?: (system: InProcessSystem) => void;
  } = {},
): Promise<Result> {
  const { kind = 'shared', backend = new MemoryFileSystem(), attributes = '' } = options;
  const { policy = '<default-policy root="/" writeable="yes"/>' } = options;
  const server = component({ provides: [FileSystem], config: SERVER_CONFIG }, (env) => {
    env.provide(FileSystem, (session) =>
      serveFileSystem(session, backend, {
        config: env.config.read(SERVER_CONFIG),
        report: (error) => void env.error(`${error}`),
      }),
    );
  });
  const system = startSystem(
    kind,
    { server, fs_tool: fsTool },
    `<start name="server"> <provides> <service name="File_system"/> </provides> <config> ${policy} </config> </start>
     <start name="tool" ram="8M"> <binary name="fs_tool"/> <exit propagate="yes"/>
       <config ${attributes}>${operations}</config>
       <route> <service name="File_system"> <child name="server"/> </service>
         <any-service> <parent/> </any-service> </route> </start>`,
  );
  options.started?.(system);
  const { end, lines, complaints } = await finish(system);
  if (options.started) {
    expect(lines.filter((line) => line.startsWith('[init] Error'))).toEqual([]);
    return { code: 'code' in end ? end.code : undefined, lines: ownLines(lines) };
  }
  expect(complaints).toEqual([]);
  expect(backend.held).toBe(0);
  return { code: 'code' in end ? end.code : undefined, lines: ownLines(lines) };
}

function ownLines(lines: readonly string[]): string[] {
  const own = /^\[init -> tool\] /;
  return lines.filter((line) => own.test(line)).map((line) => line.replace(own, ''));
}

describe.each<CarrierKind>(['shared', 'copying'])('over a carrier that is %s', (kind) => {
  test('every operation prints its line', async () => {
    const { code, lines } = await script(
      `<mkdir path="/d"/> <write path="/d/f">one
two	&amp; <![CDATA[<three>]]>
</write> <append path="/d/f">four</append> <append path="/new">x</append>
       <cat path="/d/f"/> <stat path="/d/f"/> <sha256 path="/new"/> <symlink path="/s" target="d/f"/>
       <link from="/new" to="/other"/> <rename from="/other" to="/third"/> <ls path="/"/>
       <read path="/d/f" offset="4" size="3"/> <read path="/d/f" offset="20" size="1K"/>
       <truncate path="/d/f" size="2K"/> <ls path="/d"/> <write path="/d/empty"/> <cat path="/d/empty"/>
       <unlink path="/s"/> <remove-all path="/d"/> <mkdir path="/e"/> <rmdir path="/e"/> <sync/> <df/> <ls path="/"/>`,
      { kind },
    );
    const content = 'one\ntwo\t& <three>\nfour';
    const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
    expect(lines).toEqual([
      'mkdir /d: ok',
      'write /d/f: 18 bytes',
      'append /d/f: 4 bytes',
      'append /new: 1 bytes',
      'cat /d/f: one',
      'cat /d/f: two\t& <three>',
      'cat /d/f: four',
      `stat /d/f: file ${content.length} mode=0644 links=1 inode=3`,
      `sha256 /new ${digest('x')}`,
      'symlink /s d/f: ok',
      'link /new /other: ok',
      'rename /other /third: ok',
      'ls /: dir 0 d',
      'ls /: file 1 new',
      'ls /: symlink 3 s',
      'ls /: file 1 third',
      `read /d/f 4 3: 3 bytes sha256=${digest('two')} hex=74776f`,
      `read /d/f 20 1024: 2 bytes sha256=${digest('ur')} hex=7572`,
      'truncate /d/f: 2048 bytes',
      'ls /d: file 2048 f',
      'write /d/empty: 0 bytes',
      'cat /d/empty: ',
      'unlink /s: ok',
      'remove-all /d: ok',
      'mkdir /e: ok',
      'rmdir /e: ok',
      'sync: ok',
      expect.stringMatching(/^df: total 1073741824 free 107373\d{4} nodes 1000 free_nodes 999$/),
      'ls /: file 1 new',
      'ls /: file 1 third',
      'fs_tool done',
    ]);
    expect(code).toBe(0);
  });

  test('large files are filled, verified and hashed; repeats nest', async () => {
    const backend = new MemoryFileSystem();
    const { code, lines } = await script(
      `<repeat count="2"> <mkdir path="/d"/> <repeat count="3"> <append path="/d/log">ab</append> </repeat>
         <stat path="/d/log"/> <remove-all path="/d"/> </repeat> <repeat count="0"> <df/> </repeat>
       <fill path="/f" size="5M" seed="7"/> <verify path="/f" size="5M" seed="7"/> <verify path="/f" size="3" seed="7"/>
       <fill path="/odd" size="1048579"/> <verify path="/odd" size="1048579"/> <sha256 path="/f"/>
       <fill path="/none" size="0"/> <verify path="/none" size="0"/>`,
      { kind, backend, attributes: 'tx_buf_size="256K"' },
    );
    const file = backend.root.entries.get('f')?.node;
    const digest = createHash('sha256')
      .update(file?.data.subarray(0, file.sizeBytes) ?? '')
      .digest('hex');
    expect(lines.filter((line) => line === 'append /d/log: 2 bytes')).toHaveLength(6);
    expect(lines.filter((line) => line.startsWith('stat /d/log: file 6 '))).toHaveLength(2);
    expect(lines.slice(-9)).toEqual([
      'fill /f: 5242880 bytes',
      'verify /f: 5242880 bytes ok',
      'verify /f: 3 bytes ok',
      'fill /odd: 1048579 bytes',
      'verify /odd: 1048579 bytes ok',
      `sha256 /f ${digest}`,
      'fill /none: 0 bytes',
      'verify /none: 0 bytes ok',
      'fs_tool done',
    ]);
    expect(code).toBe(0);
  });
});

test('an operation that must fail is as expected when it fails, and ends the script when it succeeds', async () => {
  const { code, lines } = await script(
    `<cat path="/x" expect="Lookup_failed"/> <mkdir path="/" expect="node_already_exists"/>
     <ls path="/" expect="lookup_FAILED"/> <sync/>`,
  );
  expect(lines).toEqual([
    'cat /x: Lookup_failed (expected)',
    'mkdir /: Node_already_exists (expected)',
    'Error: ls /: succeeded, Lookup_failed expected',
  ]);
  expect(code).toBe(1);
});

test.each([
  ['<unlink path="/x"/> <sync/>', 'Error: unlink /x: Lookup_failed'],
  ['<cat path="/" expect="Lookup_failed"/>', 'Error: cat /: Is_a_directory, Lookup_failed expected'],
  ['<rename from="/a" to="/b"/>', 'Error: rename /a: Lookup_failed'],
  ['<read path="/e" offset="1" size="1"/>', 'Error: read /e: Invalid_argument'],
  ['<read path="/e" offset="8K" size="1G"/>', ''],
  ['<verify path="/e" size="1" seed="0"/>', 'Error: verify /e: Mismatch at byte 0: the file ends'],
  [
    '<repeat count="5"> <repeat count="5"> <mkdir path="/d"/> </repeat> </repeat>',
    'Error: mkdir /d: Node_already_exists',
  ],
])('%s ends the script', async (operations, expected) => {
  if (expected === '') {
    const config = readXml(`<config>${operations}</config>`, 'config.xml');
    expect(validate(config, FS_TOOL_CONFIG)[0]?.message).toMatch(/size.* which is more than 64M/);
    return;
  }
  const { code, lines } = await script(`<write path="/e"/> ${operations}`);
  expect(lines.at(-1)).toBe(expected);
  expect(code).toBe(1);
});

test('verify names the first byte that is wrong, wherever it is', async () => {
  for (const at of [0, 1, 4097, 1_048_575, 1_048_576, 2_000_001, 2_000_002]) {
    const backend = new MemoryFileSystem();
    await script('<fill path="/f" size="2000003" seed="1"/>', { backend });
    const data = backend.root.entries.get('f')?.node.data;
    const right = data?.[at] ?? 0;
    data?.set([right ^ 0x80], at);
    const { code, lines } = await script('<verify path="/f" size="2000003" seed="1"/>', { backend });
    const byte = (value: number): string => value.toString(16).padStart(2, '0');
    expect(lines).toEqual([
      `Error: verify /f: Mismatch at byte ${at}: found ${byte(right ^ 0x80)}, expected ${byte(right)}`,
    ]);
    expect(code).toBe(1);
  }
  const { lines } = await script(
    '<fill path="/f" size="1K" seed="1"/> <verify path="/f" size="1K" seed="2"/>',
  );
  expect(lines.at(-1)).toMatch(/^Error: verify \/f: Mismatch at byte [0-3]:/);
});

test('names that do not fit a line are escaped, and sorted by their bytes', async () => {
  const backend = new MemoryFileSystem();
  const names = ['b', 'a\nb', '\udcff', 'é', 'B', '😀', '\uffee'];
  for (const name of names) {
    const node = await backend.createFile(backend.root, name);
    await backend.release(node);
  }
  const { lines } = await script('<ls path="/"/>', { backend });
  const shown = ['B', 'a\\x0ab', 'b', 'é', '\uffee', '😀', '\\xff'];
  expect(lines.slice(0, -1)).toEqual(shown.map((name) => `ls /: file 0 ${name}`));
});

test('an entry whose node cannot be read is listed with its error', async () => {
  const backend = new MemoryFileSystem();
  const lookup = backend.lookup.bind(backend);
  backend.lookup = (directory, name) =>
    name === 'dead' ? Promise.reject(new RpcError('Corrupt')) : lookup(directory, name);
  for (const name of ['alive', 'dead', 'other'])
    await backend.release(await backend.createFile(backend.root, name));
  const { lines, code } = await script('<ls path="/"/> <stat path="/dead" expect="Corrupt"/>', { backend });
  expect(lines).toEqual([
    'ls /: file 0 alive',
    'ls /: file ? dead: Corrupt',
    'ls /: file 0 other',
    'stat /dead: Corrupt (expected)',
    'fs_tool done',
  ]);
  expect(code).toBe(0);
});

test('a denied session ends the script, and a read-only one refuses changes', async () => {
  const denied = await script('<ls path="/"/>', { policy: '<policy label="other"/>' });
  expect(denied.lines[0]).toMatch(
    /^Error: File_system session .*DENIED: no policy defined for label "tool -> "$/,
  );
  expect(denied.code).toBe(1);
  const reading = await script('<mkdir path="/d" expect="Permission_denied"/> <ls path="/"/>', {
    attributes: 'writeable="no" label="reader"',
  });
  expect(reading.lines).toEqual(['mkdir /d: Permission_denied (expected)', 'fs_tool done']);
});

test('a server that crashes ends the script', async () => {
  let system: InProcessSystem | undefined;
  const before = (operation: string): void => {
    if (operation === 'write' && backend.writes >= 20) system?.platform.crash('init -> server');
  };
  const backend: MemoryFileSystem = new MemoryFileSystem({ faults: { before } });
  const started = (own: InProcessSystem): void => {
    system = own;
  };
  const { code, lines } = await script('<fill path="/f" size="20M"/> <sync/>', { backend, started });
  expect(lines).toEqual(['Error: fill /f: PeerGone']);
  expect(code).toBe(1);
});

test('a full file system fails an operation with No_space', async () => {
  const backend = new MemoryFileSystem({ faults: { capacityBytes: 1_000_000 } });
  const { lines } = await script('<fill path="/f" size="3M" expect="No_space"/> <unlink path="/f"/>', {
    backend,
  });
  expect(lines).toEqual(['fill /f: No_space (expected)', 'unlink /f: ok', 'fs_tool done']);
});

test('the config is checked, with a hint', () => {
  const problems = (operations: string): string[] =>
    validate(readXml(`<config>${operations}</config>`, 'c.xml'), FS_TOOL_CONFIG).map(
      ({ message }) => message,
    );
  expect(problems('<cat path="/x" expect="Lookup_faild"/>')[0]).toMatch(
    /^c\.xml:1:24: .*none of "Invalid_handle".* \(did you mean "Lookup_failed"\?\)$/,
  );
  expect(problems('<sha265 path="/x"/>')).toEqual([
    'c.xml:1:9: unknown element <sha265> in <config> (did you mean <sha256>?)',
  ]);
  expect(problems('<repeat count="2"><repeat count="x"/></repeat>')).toHaveLength(1);
  expect(problems('<ls/> <mkdir path="/">text</mkdir> <fill path="/f" size="1T"/>')).toHaveLength(3);
  for (const code of FILE_SYSTEM_ERRORS) {
    expect(problems(`<ls path="/" expect="${code}"/><ls path="/" expect="${code.toUpperCase()}"/>`)).toEqual(
      [],
    );
  }
});

test('the schema and the reader know the same operations', () => {
  const samples: Readonly<Record<string, string>> = { offset: '1', size: '1K', count: '1' };
  const known = (FS_TOOL_CONFIG.children ?? []).filter((child) => 'type' in child);
  expect(known.length).toBe(20);
  for (const { type, attributes = {} } of known) {
    const values = Object.keys(attributes).filter((name) => name !== 'expect');
    const xml = `<${type} ${values.map((name) => `${name}="${samples[name] ?? '1'}"`).join(' ')}/>`;
    const config = readXml(`<config>${xml}</config>`, 'c.xml');
    expect(readSteps(readConfig(config, FS_TOOL_CONFIG).$content)).toHaveLength(1);
  }
  const unknown = readXml('<config><fly/></config>', 'c.xml');
  expect(() => readConfig(unknown, FS_TOOL_CONFIG)).toThrow('unknown element <fly> in <config>');
});
