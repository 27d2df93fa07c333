/**
 * The system calls that a jailed process may make. Those are allowed that Node, V8, libuv and our
 * own runtime need while a component runs; all others fail. Landlock decides which files and ports
 * a call may reach; this policy is about calls, and about arguments that Landlock does not look at.
 */
import { CALLS, type CallName, ERRNO } from './call-numbers.ts';
import type { ArgumentTest, FilterPolicy, Verdict } from './filter-code.ts';

/** The additional rules that a component's grants make necessary. */
export interface CallNeeds {
  /** The number of the process, for calls that name one. */
  readonly pid: number;
  /** Whether it writes files of the host: then it may set their times and modes, by descriptors. */
  readonly writesFiles: boolean;
  readonly devices: boolean;
  readonly listensTcp: boolean;
  readonly connectsTcp: boolean;
  readonly listensUnix: boolean;
  readonly connectsUnix: boolean;
}

const PLAIN: readonly CallName[] = [
  // Memory.
  'mprotect',
  'munmap',
  'brk',
  'mremap',
  'msync',
  'mincore',
  'madvise',
  'mlock',
  'munlock',
  'mlock2',
  'memfd_create',
  'membarrier',
  'pkey_mprotect',
  'pkey_alloc',
  'pkey_free',
  // Files: which ones is for Landlock, metadata is open.
  'read',
  'write',
  'open',
  'close',
  'stat',
  'fstat',
  'lstat',
  'lseek',
  'pread64',
  'pwrite64',
  'readv',
  'writev',
  'access',
  'sendfile',
  'flock',
  'fsync',
  'fdatasync',
  'truncate',
  'ftruncate',
  'getdents',
  'getcwd',
  'rename',
  'mkdir',
  'rmdir',
  'creat',
  'unlink',
  'readlink',
  'umask',
  'statfs',
  'fstatfs',
  'readahead',
  'getdents64',
  'fadvise64',
  'openat',
  'mkdirat',
  'newfstatat',
  'unlinkat',
  'renameat',
  'readlinkat',
  'faccessat',
  'splice',
  'sync_file_range',
  'fallocate',
  'preadv',
  'pwritev',
  'renameat2',
  'copy_file_range',
  'preadv2',
  'pwritev2',
  'statx',
  'close_range',
  'openat2',
  'faccessat2',
  // Descriptors that are there, and waiting.
  'poll',
  'pipe',
  'select',
  'dup',
  'dup2',
  'dup3',
  'pipe2',
  'epoll_create',
  'epoll_create1',
  'epoll_wait',
  'epoll_ctl',
  'epoll_pwait',
  'epoll_pwait2',
  'pselect6',
  'ppoll',
  'eventfd2',
  'timerfd_create',
  'timerfd_settime',
  'timerfd_gettime',
  'recvfrom',
  'recvmsg',
  'shutdown',
  'getsockname',
  'getpeername',
  'setsockopt',
  'getsockopt',
  // Time.
  'nanosleep',
  'gettimeofday',
  'times',
  'time',
  'clock_gettime',
  'clock_getres',
  'clock_nanosleep',
  'timer_create',
  'timer_settime',
  'timer_gettime',
  'timer_getoverrun',
  'timer_delete',
  // Threads and signals of its own.
  'rt_sigaction',
  'rt_sigprocmask',
  'rt_sigreturn',
  'rt_sigpending',
  'rt_sigtimedwait',
  'rt_sigsuspend',
  'sigaltstack',
  'sched_yield',
  'futex',
  'futex_waitv',
  'set_tid_address',
  'set_robust_list',
  'rseq',
  'restart_syscall',
  'exit',
  'exit_group',
  'wait4',
  'arch_prctl',
  'getcpu',
  'sched_getaffinity',
  // The C library asks about other threads of the process by these.
  'sched_getscheduler',
  'sched_getparam',
  'sched_getattr',
  'sched_get_priority_max',
  'sched_get_priority_min',
  // Asking about itself and the machine, and giving up rights.
  'getpid',
  'gettid',
  'getppid',
  'getpgrp',
  'getuid',
  'getgid',
  'geteuid',
  'getegid',
  'getresuid',
  'getresgid',
  'getgroups',
  'uname',
  'sysinfo',
  'getrandom',
  'getrlimit',
  'setrlimit',
  'getrusage',
  'capget',
  'capset',
  'landlock_restrict_self',
];

const CLONE = {
  /** VM, FS, FILES, SIGHAND and THREAD: a thread, not a process. */
  thread: 0x10f00,
  /** Namespaces, which a thread could be born into. */
  namespaces: 0x7e020080,
} as const;
const PROT_EXEC = 4;
const MAP_ANONYMOUS = 0x20;
const FAMILY = { unix: 1, inet: 2, inet6: 10 } as const;
/** Protocols of stream sockets: the usual one of the family, and TCP by its number. */
const PROTOCOL = { usual: 0, tcp: 6 } as const;
const MSG_FASTOPEN = 0x20000000;
/** Types come with flags. */
const TYPE_MASK = 0xf;
const STREAM = 1;
const SEQPACKET = 5;
/**
 * DUPFD, GETFD, SETFD, GETFL, SETFL, GETLK, SETLK, SETLKW, OFD_*, DUPFD_CLOEXEC, *_PIPE_SZ,
 * ADD_SEALS, GET_SEALS: all but those that make the kernel send signals.
 */
const FCNTL = [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032, 1033, 1034];
/** TCGETS, FIONBIO, FIONCLEX, FIOCLEX, FIONREAD, TIOCGWINSZ, TIOCOUTQ. */
const IOCTL = [0x5401, 0x5421, 0x5450, 0x5451, 0x541b, 0x5413, 0x5411];
/** The request that puts input into a terminal. */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
/**
 * GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, CAPBSET_READ, SET_NO_NEW_PRIVS, GET_NO_NEW_PRIVS,
 * SET_VMA.
 */
const PRCTL = [3, 15, 16, 21, 23, 38, 39, 0x53564d41];
const PRIO_PROCESS = 0;
const SECCOMP_FILTER = 1;
/** The flags none and TSYNC. */
const SECCOMP_FLAGS = [0, 1];
/**
 * Calls from this number on are newer than libraries rely on: if such a call is missing, they try
 * another way.
 */
const NEW_CALLS = 424;

const ALLOW: Verdict = { kind: 'allow' };
const failing = (errno: number): Verdict => ({ kind: 'fail', errno });
const FORBIDDEN = failing(ERRNO.EPERM);
const MISSING = failing(ERRNO.ENOSYS);

const oneOf = (argument: number, values: readonly number[], errno: number = ERRNO.EPERM): Verdict => ({
  kind: 'tests',
  anyOf: values.map((value) => [{ argument, value }]),
  otherwise: errno,
});
const when = (tests: readonly ArgumentTest[]): Verdict => ({
  kind: 'tests',
  anyOf: [tests],
  otherwise: ERRNO.EPERM,
});

function socketVerdict({ listensTcp, connectsTcp, listensUnix, connectsUnix }: CallNeeds): Verdict {
  // Streams of other protocols know ports that Landlock does not.
  const families = [
    ...(listensTcp || connectsTcp ? [FAMILY.inet, FAMILY.inet6] : []).flatMap((family) =>
      [PROTOCOL.usual, PROTOCOL.tcp].map((protocol) => ({ family, protocol })),
    ),
    ...(listensUnix || connectsUnix ? [{ family: FAMILY.unix, protocol: PROTOCOL.usual }] : []),
  ];
  if (families.length === 0) return FORBIDDEN;
  const stream = { argument: 1, mask: TYPE_MASK, value: STREAM };
  return {
    kind: 'tests',
    anyOf: families.map(({ family, protocol }) => [
      { argument: 0, value: family },
      stream,
      { argument: 2, value: protocol },
    ]),
    otherwise: ERRNO.EPERM,
  };
}

const OF_THREADS_AND_CODE: Partial<Record<CallName, Verdict>> = {
  clone: when([
    { argument: 0, mask: CLONE.thread, value: CLONE.thread },
    { argument: 0, mask: CLONE.namespaces, value: 0 },
  ]),
  // Its flags are in memory, where a filter cannot look. The C library falls back to clone.
  clone3: MISSING,
  mmap: {
    kind: 'tests',
    anyOf: [
      [{ argument: 2, mask: PROT_EXEC, value: 0 }],
      [{ argument: 3, mask: MAP_ANONYMOUS, value: MAP_ANONYMOUS }],
    ],
    otherwise: ERRNO.EACCES,
  },
};

function ruledCalls(needs: CallNeeds): Partial<Record<CallName, Verdict>> {
  const { pid, writesFiles, devices, listensTcp, connectsTcp, listensUnix, connectsUnix } = needs;
  const granted = (condition: boolean): Verdict => (condition ? ALLOW : FORBIDDEN);
  const itself = oneOf(0, [0, pid]);
  const itselfByKind: Verdict = {
    kind: 'tests',
    anyOf: [0, pid].map((value) => [
      { argument: 0, value: PRIO_PROCESS },
      { argument: 1, value },
    ]),
    otherwise: ERRNO.EPERM,
  };
  const listens = listensTcp || listensUnix;
  return {
    ...OF_THREADS_AND_CODE,
    kill: oneOf(0, [pid]),
    tgkill: oneOf(0, [pid]),
    rt_sigqueueinfo: oneOf(0, [pid]),
    rt_tgsigqueueinfo: oneOf(0, [pid]),
    prlimit64: itself,
    sched_setaffinity: itself,
    sched_setscheduler: itself,
    sched_setparam: itself,
    sched_setattr: itself,
    setpriority: itselfByKind,
    getpriority: itselfByKind,
    // A pair of datagram sockets could send to others.
    socketpair: {
      kind: 'tests',
      anyOf: [STREAM, SEQPACKET].map((value) => [
        { argument: 0, value: FAMILY.unix },
        { argument: 1, mask: TYPE_MASK, value },
      ]),
      otherwise: ERRNO.EPERM,
    },
    socket: socketVerdict(needs),
    connect: granted(connectsTcp || connectsUnix),
    bind: granted(listens || connectsTcp),
    listen: granted(listens),
    accept: granted(listens),
    accept4: granted(listens),
    sendto: when([{ argument: 4, value: 0, wide: true }]),
    // With this flag it connects to an address in memory, where a filter cannot look.
    sendmsg: when([{ argument: 2, mask: MSG_FASTOPEN, value: 0 }]),
    fcntl: oneOf(1, FCNTL),
    ioctl: devices
      ? { kind: 'except', argument: 1, values: [TIOCSTI, TIOCLINUX], errno: ERRNO.EPERM }
      : oneOf(1, IOCTL),
    prctl: oneOf(0, PRCTL),
    utimensat: writesFiles ? when([{ argument: 1, value: 0, wide: true }]) : FORBIDDEN,
    fchmod: granted(writesFiles),
    fchown: granted(writesFiles),
    seccomp: {
      kind: 'tests',
      anyOf: SECCOMP_FLAGS.map((value) => [
        { argument: 0, value: SECCOMP_FILTER },
        { argument: 1, value },
      ]),
      otherwise: ERRNO.EPERM,
    },
  };
}

/** The policy of a jailed process. */
export function jailPolicy(needs: CallNeeds): FilterPolicy {
  const calls = new Map<number, Verdict>();
  for (const name of PLAIN) calls.set(CALLS[name], ALLOW);
  for (const [name, verdict] of Object.entries(ruledCalls(needs)))
    calls.set(CALLS[name as CallName], verdict);
  return {
    calls,
    others: [
      { from: 0, verdict: FORBIDDEN },
      { from: NEW_CALLS, verdict: MISSING },
    ],
  };
}

/** The policy for threads that run a component, in addition: they start no further threads. */
export const NO_THREADS_POLICY: FilterPolicy = {
  calls: new Map([
    [CALLS.clone, failing(ERRNO.EAGAIN)],
    [CALLS.clone3, MISSING],
  ]),
  others: [{ from: 0, verdict: ALLOW }],
};

/**
 * The policy of a thread that starts processes which are going to be jailed. Since Node 24 each
 * event loop has a ring of io_uring from its beginning. No filter sees what goes through a ring,
 * and it cannot be taken away later.
 */
export const NO_RINGS_POLICY: FilterPolicy = {
  calls: new Map([[CALLS.io_uring_setup, MISSING]]),
  others: [{ from: 0, verdict: ALLOW }],
};
