/**
 * A component that tries things which a component must not be able to do. Each attempt is harmless,
 * and succeeds where nothing confines it. It gets at Node's own modules, and at the kernel through
 * koffi, in ways that the import rule does not see, as hostile code does. It logs a line for each
 * attempt: its name, and "open" or the code of the error.
 */
import { component } from '@ginit/core';

const host = Reflect.get(globalThis, ['pro', 'cess'].join(''));
const built = (name) =>
  Reflect.apply(Reflect.get(host, ['get', 'Builtin', 'Module'].join('')), host, [`node:${name}`]);
const fs = built('fs');
const net = built('net');

/** Numbers of system calls on x64. */
const CALL = {
  shmget: 29,
  ptrace: 101,
  setns: 308,
  mq_open: 240,
  unshare: 272,
  inotify_init1: 294,
  perf_event_open: 298,
  prlimit64: 302,
  process_vm_readv: 310,
  bpf: 321,
  userfaultfd: 323,
  pidfd_open: 434,
  io_uring_setup: 425,
  keyctl: 250,
  socket: 41,
  chdir: 80,
  sched_setaffinity: 203,
  close: 3,
};
const [PTRACE_SEIZE, AF_NETLINK, SOCK_RAW, SOCK_DGRAM, AF_INET] = [0x4206, 16, 3, 2, 2];
const IPC_CREAT = 0o1000;

/** Settles with the argument that the callback of an attempt with events gets. */
const once = (emitter, good) =>
  new Promise((resolve, reject) => {
    emitter.once('error', reject);
    emitter.once(good, resolve);
  });

function nativeAttempts({ koffi: directory, victim }) {
  const koffi = built('module').createRequire(`${directory}/`)('koffi');
  const raw = koffi.load(null).func('syscall', 'long', ['long', ...Array(6).fill('intptr_t')]);
  const memory = Buffer.allocUnsafeSlow(4096).fill(0);
  const address = Number(koffi.address(memory));
  const call = (name, ...words) => {
    const all = [...words, 0, 0, 0, 0, 0, 0].slice(0, 6);
    const result = raw(CALL[name], ...all);
    if (result === -1) throw Object.assign(new Error(name), { code: koffi.errno() });
    return result;
  };
  const close = (descriptor) => call('close', descriptor);
  return {
    'native: trace a process': () => call('ptrace', PTRACE_SEIZE, victim, 0, 0),
    'native: open a process': () => close(call('pidfd_open', victim, 0)),
    'native: read limits of a process': () => call('prlimit64', victim, 7, 0, address),
    'native: bind a process to CPUs': () => {
      memory[0] = 0xff;
      call('sched_setaffinity', victim, 128, address);
    },
    'native: netlink socket': () => close(call('socket', AF_NETLINK, SOCK_RAW, 0)),
    'native: datagram socket': () => close(call('socket', AF_INET, SOCK_DGRAM, 0)),
    'native: shared memory segment': () => call('shmget', 0, 4096, IPC_CREAT | 0o600),
    'native: inotify': () => close(call('inotify_init1', 0)),
    'native: io_uring': () => {
      memory.fill(0);
      close(call('io_uring_setup', 1, address));
    },
    'native: leave namespaces': () => call('unshare', 0),
    'native: key ring': () => call('keyctl', 0, -3, 0),
    'native: change directory': () => {
      memory.fill(0).write('.');
      call('chdir', address);
    },
  };
}

function fileAttempts({ file, directory, device }) {
  const mine = `${directory}/made-by-component`;
  return {
    'read a file': () => fs.readFileSync(file),
    'read a file in the pool': () => fs.promises.readFile(file),
    'list a directory': () => fs.readdirSync(directory),
    'list processes': () => fs.readdirSync('/proc'),
    'read the environment of the parent': () => fs.readFileSync(`/proc/${host.ppid}/environ`),
    'read the memory map of itself': () => fs.readFileSync('/proc/self/maps'),
    'open the memory of itself': () => fs.closeSync(fs.openSync('/proc/self/mem', 'r')),
    'append to a file': () => fs.appendFileSync(file, 'x'),
    'truncate a file': () => fs.truncateSync(file, 1),
    'make a file': () => fs.writeFileSync(mine, 'x'),
    'make a directory': () => fs.mkdirSync(`${mine}-directory`),
    'make a link': () => fs.symlinkSync(file, `${mine}-link`),
    'make another name': () => fs.linkSync(file, `${mine}-name`),
    'rename a file': () => fs.renameSync(file, file),
    'change the mode of a file': () => fs.chmodSync(file, 0o600),
    'change the times of a file': () => fs.utimesSync(file, 1, 1),
    'watch a file': () => fs.watch(file).close(),
    'open a device': () => fs.closeSync(fs.openSync(device, 'r')),
    'remove a file': () => fs.unlinkSync(file),
  };
}

function processAttempts({ victim, addon }) {
  return {
    'signal its parent': () => host.kill(host.ppid, 0),
    'signal a process': () => host.kill(victim, 0),
    'run a program': () => {
      const { error } = built('child_process').spawnSync(host.execPath, ['-e', '0']);
      if (error) throw error;
    },
    'run a program later': () =>
      once(built('child_process').spawn(host.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit'),
    'start a thread': () => once(new (built('worker_threads').Worker)('0', { eval: true }), 'exit'),
    'load native code': () => host.dlopen({ exports: {} }, addon),
  };
}

function netAttempts({ port, socket }) {
  const connect = async (options) => {
    const client = net.connect(options);
    await once(client, 'connect');
    client.destroy();
  };
  const listen = async (...options) => {
    const server = net.createServer().listen(...options);
    await once(server, 'listening');
    server.close();
  };
  return {
    'connect by TCP': () => connect({ port, host: '127.0.0.1' }),
    'connect to a Unix socket': () => connect({ path: socket }),
    'connect to an abstract socket': () => connect({ path: `\0${socket}` }),
    'listen by TCP': () => listen(0, '127.0.0.1'),
    'listen at a Unix socket': () => listen(`${socket}.own`),
    'send a datagram': async () => {
      const client = built('dgram').createSocket('udp4');
      await new Promise((resolve, reject) => {
        client.once('error', reject);
        client.send('x', port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
      });
      client.close();
    },
  };
}

function exhaustion() {
  return {
    'take all descriptors': () => {
      const taken = [];
      try {
        for (let count = 0; count < 17_000; count++) taken.push(fs.openSync(import.meta.filename, 'r'));
      } finally {
        for (const each of taken) fs.closeSync(each);
      }
    },
  };
}

export default component({ loop: 'live' }, async (env) => {
  const settings = JSON.parse(env.config.node.value('settings') ?? '{}');
  const attempts = {
    ...fileAttempts(settings),
    ...processAttempts(settings),
    ...netAttempts(settings),
    ...nativeAttempts(settings),
    ...exhaustion(),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    let outcome = 'open';
    try {
      await attempt();
    } catch (error) {
      outcome = String(error.code ?? error.message);
    }
    await env.log(`${name}: ${outcome}`);
  }
  env.exit(0);
});
