// What POSIX promises of files, asked of the directory that is the first argument, which must be
// empty and of a user who is root. Prints what each case has seen as lines of JSON: the caller
// compares them with those of a file system of the kernel. Times are told by their order only.
import * as fs from 'node:fs';
import { join } from 'node:path';

const ROOT = process.argv[2];
const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } =
  fs.constants;
const STRANGER = 12_345;
const GROUP = 23_456;
const cases = [];

/** One case: `body` gets a new directory and tells what it sees. */
function posix(name, body) {
  cases.push([name, body]);
}

/** The result of a call, or the code of its error. */
function of(call) {
  try {
    const result = call();
    return result === undefined ? 'ok' : result;
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code;
  }
}

function opened(path, flags, use, mode = 0o644) {
  const file = fs.openSync(path, flags, mode);
  try {
    return use(file);
  } finally {
    fs.closeSync(file);
  }
}

/** Does something as somebody who is not root, in the group with his number. */
function as(user, call, group = user) {
  const groups = process.getgroups();
  process.setgroups([]);
  process.setegid(group);
  process.seteuid(user);
  try {
    return of(call);
  } finally {
    process.seteuid(0);
    process.setegid(0);
    process.setgroups(groups);
  }
}

const mode = (path) => (fs.lstatSync(path).mode & 0o7777).toString(8);
const links = (path) => fs.lstatSync(path).nlink;
const touch = (path, bits = 0o644) => opened(path, O_CREAT | O_WRONLY, () => fs.chmodSync(path, bits), bits);
const write = (path, text) => fs.writeFileSync(path, text);
const read = (path) => fs.readFileSync(path, 'latin1');

posix('open makes a file only if it may', (at) => {
  write(at('f'), 'x');
  fs.symlinkSync('missing', at('dangling'));
  return [
    of(() => opened(at('none'), O_RDONLY, () => 'open')),
    of(() => opened(at('f'), O_CREAT | O_EXCL | O_RDWR, () => 'open')),
    of(() => opened(at('dangling'), O_CREAT | O_EXCL | O_RDWR, () => 'open')),
    of(() => opened(at('dangling'), O_CREAT | O_RDWR, () => 'open')),
    fs.existsSync(at('missing')),
    of(() => opened(at('f/x'), O_CREAT | O_RDWR, () => 'open')),
    of(() => opened(at('no/x'), O_CREAT | O_RDWR, () => 'open')),
    of(() => opened(at('f'), O_TRUNC | O_WRONLY, () => 'open')),
    fs.statSync(at('f')).size,
  ];
});

posix('a directory is no file, and a file is no directory', (at) => {
  fs.mkdirSync(at('d'));
  write(at('f'), '');
  fs.symlinkSync('f', at('l'));
  return [
    of(() => opened(at('d'), O_WRONLY, () => 'open')),
    of(() => opened(at('d'), O_RDWR | O_CREAT, () => 'open')),
    of(() => opened(at('f'), O_DIRECTORY | O_RDONLY, () => 'open')),
    of(() => opened(at('l'), O_NOFOLLOW | O_RDONLY, () => 'open')),
    of(() => fs.readdirSync(at('f'))),
    of(() => fs.truncateSync(at('d'), 0)),
    of(() => opened(at('d'), O_RDONLY, (file) => fs.readSync(file, Buffer.alloc(10)))),
    of(() => fs.statSync(`${at('f')}/`)),
    of(() => fs.unlinkSync(at('d'))),
    of(() => fs.rmdirSync(at('f'))),
    of(() => fs.linkSync(at('d'), at('d2'))),
  ];
});

posix('mkdir and rmdir', (at) => {
  fs.mkdirSync(at('d'));
  fs.mkdirSync(at('d/sub'));
  write(at('f'), '');
  return [
    of(() => fs.mkdirSync(at('d'))),
    of(() => fs.mkdirSync(at('f'))),
    of(() => fs.mkdirSync(at('f/x'))),
    of(() => fs.mkdirSync(at('no/x'))),
    links(at('d')),
    of(() => fs.rmdirSync(at('d'))),
    of(() => fs.rmdirSync(`${at('d/sub')}/.`)),
    of(() => fs.rmdirSync(`${at('d/sub')}/..`)),
    of(() => fs.rmdirSync(at('none'))),
    of(() => fs.rmdirSync(at('d/sub'))),
    links(at('d')),
    of(() => fs.rmdirSync(at('d'))),
    fs.existsSync(at('d')),
  ];
});

posix('hard links', (at) => {
  write(at('f'), 'same');
  fs.symlinkSync('f', at('l'));
  return [
    of(() => fs.linkSync(at('f'), at('g'))),
    links(at('f')),
    fs.statSync(at('f')).ino === fs.statSync(at('g')).ino,
    of(() => fs.linkSync(at('f'), at('g'))),
    of(() => fs.linkSync(at('none'), at('h'))),
    of(() => fs.linkSync(at('f'), at('no/h'))),
    of(() => fs.linkSync(at('l'), at('l2'))),
    fs.lstatSync(at('l2')).isSymbolicLink(),
    of(() => write(at('g'), 'changed')),
    read(at('f')),
    of(() => fs.unlinkSync(at('f'))),
    links(at('g')),
    read(at('g')),
    of(() => fs.chmodSync(at('g'), 0o600)),
    mode(at('g')),
  ];
});

posix('symbolic links', (at) => {
  fs.symlinkSync('target of some length', at('l'));
  fs.symlinkSync('b', at('a'));
  fs.symlinkSync('a', at('b'));
  fs.symlinkSync('x'.repeat(1000), at('long'));
  write(at('f'), 'through');
  fs.symlinkSync(at('f'), at('absolute'));
  fs.mkdirSync(at('d'));
  fs.symlinkSync('../f', at('d/up'));
  return [
    fs.readlinkSync(at('l')),
    fs.lstatSync(at('l')).size,
    mode(at('l')),
    of(() => fs.readFileSync(at('l'))),
    of(() => fs.readFileSync(at('a'))),
    fs.readlinkSync(at('long')).length,
    read(at('absolute')),
    read(at('d/up')),
    of(() => fs.readlinkSync(at('f'))),
    of(() => fs.symlinkSync('x', at('l'))),
    of(() => fs.symlinkSync('', at('empty'))),
    of(() => fs.lchownSync(at('l'), 5, 6)),
    fs.lstatSync(at('l')).uid,
    of(() => fs.unlinkSync(at('d/up'))),
    read(at('f')),
  ];
});

posix('rename replaces only what it may', (at) => {
  for (const name of ['f', 'g', 'h']) write(at(name), name);
  for (const name of ['d', 'e', 'full', 'full/sub']) fs.mkdirSync(at(name));
  fs.linkSync(at('h'), at('h2'));
  return [
    of(() => fs.renameSync(at('f'), at('g'))),
    read(at('g')),
    fs.existsSync(at('f')),
    of(() => fs.renameSync(at('none'), at('x'))),
    of(() => fs.renameSync(at('g'), at('d'))),
    of(() => fs.renameSync(at('d'), at('g'))),
    of(() => fs.renameSync(at('d'), at('full'))),
    of(() => fs.renameSync(at('d'), at('e'))),
    of(() => fs.renameSync(at('full'), at('full/sub/x'))),
    of(() => fs.renameSync(at('full/sub'), at('full'))),
    of(() => fs.renameSync(at('g'), at('g'))),
    of(() => fs.renameSync(at('h'), at('h2'))),
    [fs.existsSync(at('h')), fs.existsSync(at('h2')), links(at('h'))],
    of(() => fs.renameSync(at('g'), at('no/x'))),
    of(() => fs.renameSync(at('g'), at('h/x'))),
    [links(at('full')), links(at('e'))],
    of(() => fs.renameSync(at('full/sub'), at('e/sub'))),
    [links(at('full')), links(at('e'))],
    of(() => fs.renameSync(at('e'), at('moved'))),
    fs.readdirSync(at('moved')),
    of(() => write(at('moved/sub/new'), 'in it')),
    read(at('moved/sub/new')),
    fs.readdirSync(at('.')).toSorted(),
  ];
});

posix('a rename between directories with the same names', (at) => {
  for (const name of ['a', 'b', 'a/x', 'b/x']) fs.mkdirSync(at(name));
  write(at('a/x/f'), 'of a');
  return [
    of(() => fs.renameSync(at('a/x'), at('b/x'))),
    read(at('b/x/f')),
    of(() => fs.renameSync(at('b/x'), at('a/x'))),
    read(at('a/x/f')),
    [links(at('a')), links(at('b'))],
  ];
});

posix('an open file lives without a name', (at) => {
  write(at('f'), 'content');
  const seen = [];
  opened(at('f'), O_RDWR, (file) => {
    fs.unlinkSync(at('f'));
    seen.push(fs.existsSync(at('f')), fs.fstatSync(file).nlink, fs.fstatSync(file).size);
    fs.writeSync(file, ' and more', 7);
    const bytes = Buffer.alloc(30);
    seen.push(bytes.toString('latin1', 0, fs.readSync(file, bytes, 0, 30, 0)));
    fs.ftruncateSync(file, 4);
    seen.push(
      fs.fstatSync(file).size,
      of(() => fs.fchmodSync(file, 0o600)),
      of(() => fs.fsyncSync(file)),
    );
    seen.push((fs.fstatSync(file).mode & 0o7777).toString(8));
    // Another file with its name is another file.
    write(at('f'), 'other');
    seen.push(fs.fstatSync(file).ino === fs.statSync(at('f')).ino, fs.fstatSync(file).size);
  });
  return [...seen, read(at('f'))];
});

posix('an open file that is replaced by a rename lives', (at) => {
  write(at('f'), 'old');
  write(at('g'), 'new');
  return opened(at('f'), O_RDONLY, (file) => {
    fs.renameSync(at('g'), at('f'));
    const bytes = Buffer.alloc(10);
    return [
      bytes.toString('latin1', 0, fs.readSync(file, bytes, 0, 10, 0)),
      fs.fstatSync(file).nlink,
      read(at('f')),
    ];
  });
});

posix('a file that is renamed while it is written keeps what is written', (at) => {
  fs.mkdirSync(at('d'));
  opened(at('f'), O_CREAT | O_WRONLY, (file) => {
    fs.writeSync(file, 'before ');
    fs.renameSync(at('f'), at('d/g'));
    fs.writeSync(file, 'after');
  });
  return [read(at('d/g')), fs.existsSync(at('f'))];
});

posix('a working directory that is removed', (at) => {
  fs.mkdirSync(at('d'));
  process.chdir(at('d'));
  try {
    return [
      of(() => fs.rmdirSync(at('d'))),
      of(() => fs.readdirSync('.')),
      of(() => fs.writeFileSync('f', '')),
      of(() => fs.mkdirSync('d')),
      of(() => fs.statSync('f')),
      of(() => process.cwd().length > 0),
    ];
  } finally {
    process.chdir('/');
  }
});

posix('truncate', (at) => {
  write(at('f'), 'content');
  const shrunk = of(() => fs.truncateSync(at('f'), 3));
  const grown = of(() => fs.truncateSync(at('f'), 10_000));
  const bytes = fs.readFileSync(at('f'));
  return [
    shrunk,
    grown,
    bytes.length,
    bytes.toString('latin1', 0, 3),
    bytes.subarray(3).every((byte) => byte === 0),
    of(() => fs.truncateSync(at('none'), 3)),
    of(() => opened(at('f'), O_RDONLY, (file) => fs.ftruncateSync(file, 1))),
    of(() => fs.truncateSync(at('f'), 0)),
    fs.statSync(at('f')).size,
  ];
});

posix('holes', (at) => {
  opened(at('f'), O_CREAT | O_RDWR, (file) => fs.writeSync(file, 'end', 5_000_000));
  const { size, blocks } = fs.statSync(at('f'));
  const bytes = fs.readFileSync(at('f'));
  return [
    size,
    blocks * 512 < 1_000_000,
    bytes.indexOf('end'),
    bytes.subarray(0, 5_000_000).every((byte) => byte === 0),
  ];
});

posix('reading and writing at places', (at) =>
  opened(at('f'), O_CREAT | O_RDWR, (file) => {
    const bytes = Buffer.alloc(100);
    fs.writeSync(file, '0123456789');
    fs.writeSync(file, 'abc', 4);
    const seen = [read(at('f')), fs.readSync(file, bytes, 0, 100, 8), fs.readSync(file, bytes, 0, 100, 50)];
    opened(at('f'), O_WRONLY | O_APPEND, (other) => {
      fs.writeSync(other, 'X', 0);
      fs.writeSync(file, 'Y', 10);
      fs.writeSync(other, 'Z');
    });
    return [...seen, read(at('f')), of(() => opened(at('f'), O_RDONLY, (other) => fs.writeSync(other, 'x')))];
  }),
);

posix('a descriptor for writing does not read', (at) =>
  opened(at('f'), O_CREAT | O_WRONLY, (file) => of(() => fs.readSync(file, Buffer.alloc(1)))),
);

posix('a large file, written in odd pieces', (at) => {
  const sum = opened(at('f'), O_CREAT | O_RDWR, (file) => {
    let position = 0;
    for (let piece = 1; position < 3_000_000; piece = (piece * 7 + 1) % 300_007) {
      fs.writeSync(file, Buffer.alloc(piece, piece % 251), 0, piece, position);
      position += piece;
    }
    return position;
  });
  const bytes = fs.readFileSync(at('f'));
  let total = 0;
  for (const byte of bytes) total = (total * 31 + byte) % 1_000_003;
  return [sum, bytes.length, total];
});

posix('long names', (at) => {
  const longest = 'n'.repeat(255);
  const wide = '\u00fc'.repeat(127);
  return [
    of(() => write(at(longest), 'x')),
    of(() => write(at(`${longest}n`), 'x')),
    of(() => write(at(wide), 'x')),
    of(() => write(at(`${wide}\u00fc`), 'x')),
    of(() => fs.mkdirSync(at(`d${longest}`))),
    of(() => fs.renameSync(at(longest), at(`${longest}n`))),
    of(() => fs.symlinkSync('x', at(`${longest}n`))),
    of(() => fs.statSync(join(ROOT, 'x/'.repeat(2100)))),
    fs.readdirSync(at('.')).map((name) => name.length),
  ];
});

posix('names are bytes', (at) => {
  const name = Buffer.concat([Buffer.from(`${at('.')}/`), Buffer.from([0xff, 0x41, 0xc3, 0x28, 0x80])]);
  const other = Buffer.concat([name, Buffer.from([0xfe])]);
  fs.writeFileSync(name, 'odd');
  const seen = [fs.readdirSync(at('.'), 'buffer').map((each) => each.toString('hex'))];
  fs.renameSync(name, other);
  fs.symlinkSync(Buffer.from([0xfd, 0xfe]), at('l'));
  seen.push(
    read(other),
    of(() => fs.statSync(name)),
    fs.readlinkSync(at('l'), 'buffer').toString('hex'),
  );
  fs.unlinkSync(other);
  return [...seen, fs.readdirSync(at('.'))];
});

posix('a directory is read while it changes', (at) => {
  for (let number = 0; number < 300; number++) touch(at(`${number}`));
  const directory = fs.opendirSync(at('.'), { bufferSize: 8 });
  const seen = new Set();
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
    if (seen.has(entry.name)) return `twice: ${entry.name}`;
    seen.add(entry.name);
    fs.unlinkSync(at(entry.name));
  }
  directory.closeSync();
  return [seen.size, fs.readdirSync(at('.')).length, of(() => fs.rmdirSync(at('.').replace(/\/\.$/, '')))];
});

posix('a deep tree', (at) => {
  const down = Array.from({ length: 60 }, (_, level) => `level${level}`).join('/');
  fs.mkdirSync(at(down), { recursive: true });
  write(at(`${down}/f`), 'deep');
  const text = read(at(`${down}/f`));
  fs.rmSync(at('level0'), { recursive: true });
  return [text, fs.readdirSync(at('.'))];
});

posix('modes', (at) => {
  const before = process.umask(0o027);
  try {
    touch(at('f'));
    fs.mkdirSync(at('d'), 0o777);
    const seen = [];
    opened(at('g'), O_CREAT | O_WRONLY, () => seen.push(mode(at('g'))), 0o777);
    for (const bits of [0o7777, 0o4755, 0o2755, 0o1777, 0]) {
      fs.chmodSync(at('f'), bits);
      seen.push(mode(at('f')));
    }
    return [...seen, mode(at('d')), of(() => fs.chmodSync(at('none'), 0o644))];
  } finally {
    process.umask(before);
  }
});

posix('new nodes belong to whoever makes them', (at) => {
  fs.chmodSync(at('.'), 0o777);
  as(STRANGER, () => write(at('f'), 'x'), GROUP);
  as(STRANGER, () => fs.mkdirSync(at('d')), GROUP);
  as(STRANGER, () => fs.symlinkSync('x', at('l')), GROUP);
  return ['f', 'd', 'l'].map((name) => [fs.lstatSync(at(name)).uid, fs.lstatSync(at(name)).gid]);
});

posix('a directory gives its group, if it says so', (at) => {
  fs.mkdirSync(at('d'));
  fs.chownSync(at('d'), 0, GROUP);
  fs.chmodSync(at('d'), 0o2777);
  as(STRANGER, () => write(at('d/f'), 'x'));
  as(STRANGER, () => fs.mkdirSync(at('d/e')));
  return ['d/f', 'd/e'].map((name) => [fs.statSync(at(name)).gid, mode(at(name))]);
});

posix('chmod and chown are for owners', (at) => {
  touch(at('mine'));
  touch(at('his'));
  fs.chownSync(at('his'), STRANGER, STRANGER);
  return [
    as(STRANGER, () => fs.chmodSync(at('mine'), 0o666)),
    as(STRANGER, () => fs.chmodSync(at('his'), 0o4755)),
    as(STRANGER, () => fs.chownSync(at('his'), 0, 0)),
    as(STRANGER, () => fs.chownSync(at('his'), STRANGER, GROUP)),
    as(STRANGER, () => fs.chownSync(at('mine'), STRANGER, STRANGER)),
    as(STRANGER, () => fs.utimesSync(at('mine'), 1, 1)),
    as(STRANGER, () => fs.utimesSync(at('his'), 1, 1)),
    mode(at('his')),
    as(STRANGER, () => fs.chmodSync(at('his'), 0o2755), GROUP),
    mode(at('his')),
  ];
});

posix('a change of owner, or of content by a stranger, ends the right to run as somebody', (at) => {
  const seen = [];
  for (const name of ['f', 'g', 'h']) touch(at(name), 0o6777);
  fs.chownSync(at('f'), STRANGER, STRANGER);
  as(STRANGER, () => fs.writeFileSync(at('g'), 'x', { flag: 'r+' }));
  as(STRANGER, () => fs.truncateSync(at('h'), 3));
  for (const name of ['f', 'g', 'h']) seen.push(mode(at(name)));
  return seen;
});

posix('permissions', (at) => {
  for (const [name, bits] of [
    ['r', 0o444],
    ['w', 0o222],
    ['none', 0],
  ])
    touch(at(name), bits);
  for (const [name, bits] of [
    ['dr', 0o744],
    ['dx', 0o711],
    ['dw', 0o733],
  ]) {
    fs.mkdirSync(at(name));
    touch(at(`${name}/f`));
    fs.chmodSync(at(name), bits);
  }
  const on = (call) => as(STRANGER, call);
  return [
    on(() => opened(at('r'), O_RDONLY, () => 'open')),
    on(() => opened(at('r'), O_WRONLY, () => 'open')),
    on(() => opened(at('w'), O_RDONLY, () => 'open')),
    on(() => opened(at('w'), O_WRONLY, () => 'open')),
    on(() => opened(at('none'), O_RDONLY, () => 'open')),
    on(() => fs.statSync(at('none')).size),
    on(() => fs.readdirSync(at('dr'))),
    on(() => fs.statSync(at('dr/f')).size),
    on(() => fs.readdirSync(at('dx'))),
    on(() => fs.statSync(at('dx/f')).size),
    on(() => write(at('dx/new'), '')),
    on(() => fs.unlinkSync(at('dx/f'))),
    on(() => write(at('dw/new'), '')),
    on(() => fs.unlinkSync(at('dw/f'))),
    on(() => fs.truncateSync(at('r'), 0)),
    on(() => fs.accessSync(at('r'), fs.constants.R_OK)),
    on(() => fs.accessSync(at('r'), fs.constants.W_OK)),
    on(() => fs.renameSync(at('r'), at('r2'))),
    on(() => fs.linkSync(at('r'), at('r2'))),
    on(() => fs.mkdirSync(at('d2'))),
    on(() => fs.symlinkSync('x', at('l'))),
  ];
});

posix('a sticky directory', (at) => {
  fs.mkdirSync(at('d'));
  fs.chmodSync(at('d'), 0o1777);
  touch(at('d/mine'));
  as(STRANGER, () => write(at('d/his'), ''));
  const other = STRANGER + 1;
  return [
    as(other, () => fs.unlinkSync(at('d/mine'))),
    as(other, () => fs.unlinkSync(at('d/his'))),
    as(other, () => fs.renameSync(at('d/his'), at('d/x'))),
    as(other, () => write(at('d/third'), '')),
    as(other, () => fs.renameSync(at('d/third'), at('d/his'))),
    as(STRANGER, () => fs.renameSync(at('d/his'), at('d/x'))),
    as(STRANGER, () => fs.unlinkSync(at('d/x'))),
    fs.readdirSync(at('d')).toSorted(),
  ];
});

posix('times are set', (at) => {
  write(at('f'), 'x');
  fs.utimesSync(at('f'), 1_000_000_000, 1_100_000_000);
  const { atimeMs, mtimeMs } = fs.statSync(at('f'));
  fs.symlinkSync('f', at('l'));
  fs.lutimesSync(at('l'), 1_200_000_000, 1_300_000_000);
  return [atimeMs, mtimeMs, fs.lstatSync(at('l')).mtimeMs, fs.statSync(at('f')).mtimeMs];
});

posix('times change with what they are the times of', (at) => {
  const OLD = 1_000_000_000;
  const files = ['written', 'cut', 'same size', 'moded', 'linked', 'renamed', 'read', 'opened', 'owned'];
  const directories = ['create', 'mkdir', 'symlink', 'link', 'unlink', 'rmdir', 'rename', 'stat', 'below'];
  for (const name of files) write(at(name), 'content');
  for (const name of directories) {
    fs.mkdirSync(at(name));
    write(at(`${name}/f`), 'x');
    fs.mkdirSync(at(`${name}/d`));
  }
  const all = [...files, ...directories];
  for (const name of all) fs.utimesSync(at(name), OLD, OLD);
  const before = all.map((name) => fs.statSync(at(name)).ctimeMs);
  // Some file systems have seconds.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
  fs.appendFileSync(at('written'), 'more');
  fs.truncateSync(at('cut'), 2);
  fs.truncateSync(at('same size'), 7);
  fs.chmodSync(at('moded'), 0o600);
  fs.linkSync(at('linked'), at('second'));
  fs.renameSync(at('renamed'), at('new name'));
  read(at('read'));
  opened(at('opened'), O_RDWR, () => {});
  fs.chownSync(at('owned'), 1, 1);
  write(at('create/new'), '');
  fs.mkdirSync(at('mkdir/new'));
  fs.symlinkSync('x', at('symlink/new'));
  fs.linkSync(at('link/f'), at('link/new'));
  fs.unlinkSync(at('unlink/f'));
  fs.rmdirSync(at('rmdir/d'));
  fs.renameSync(at('rename/f'), at('rename/new'));
  fs.statSync(at('stat/f'));
  fs.appendFileSync(at('below/f'), 'more');
  return all.map((name, index) => {
    const { mtimeMs, ctimeMs } = fs.statSync(at(name === 'renamed' ? 'new name' : name));
    return `${name}: ${mtimeMs === OLD * 1000 ? '-' : 'mtime'} ${ctimeMs === before[index] ? '-' : 'ctime'}`;
  });
});

posix('the times of a new node are those of now', (at) => {
  const now = Date.now();
  write(at('f'), 'x');
  const { atimeMs, mtimeMs, ctimeMs } = fs.statSync(at('f'));
  return [atimeMs, mtimeMs, ctimeMs].map((ms) => Math.abs(ms - now) < 30_000);
});

posix('what is saved, and the space that there is', (at) => {
  const { blocks, bfree, files, ffree, bsize } = fs.statfsSync(at('.'));
  return [
    opened(at('f'), O_CREAT | O_RDWR, (file) => [
      of(() => fs.fsyncSync(file)),
      of(() => fs.fdatasyncSync(file)),
    ]),
    opened(at('.'), O_RDONLY, (directory) => of(() => fs.fsyncSync(directory))),
    [blocks > 0, bfree > 0, bfree <= blocks, files > 0, ffree > 0, bsize >= 512],
  ];
});

posix('copies', (at) => {
  write(at('f'), 'x'.repeat(100_000));
  fs.copyFileSync(at('f'), at('g'));
  fs.mkdirSync(at('d'));
  fs.cpSync(at('f'), at('d/h'));
  fs.cpSync(at('d'), at('e'), { recursive: true });
  return [
    read(at('g')) === read(at('f')),
    fs.readdirSync(at('e')),
    of(() => fs.copyFileSync(at('f'), at('g'), fs.constants.COPYFILE_EXCL)),
  ];
});

process.umask(0o022);
for (const [number, [title, body]] of cases.entries()) {
  const directory = join(ROOT, `case${number}`);
  fs.mkdirSync(directory);
  let seen;
  try {
    seen = body((name) => (name === '.' ? directory : join(directory, name)));
  } catch (error) {
    seen = `threw: ${error.message}`.replaceAll(ROOT, '');
  }
  console.log(JSON.stringify({ name: title, seen }));
}
