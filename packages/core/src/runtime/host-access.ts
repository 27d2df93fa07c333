/**
 * The host as a driver sees it: the things that its start node grants, each by the name that the
 * config gives it. A driver that uses only this imports nothing of Node, so in the simulator only
 * the platform differs, and a thing that is not granted has no name. A driver that imports Node's
 * own modules instead is held by nothing but its jail, if it has one.
 */
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { HostGrant, HostGrantFact } from '../session/host-grant.ts';

/** Why the host, or the check of grants, refused an operation. */
export type HostErrorCode =
  /** The start node does not grant it, or the component's manifest does not ask for it. */
  | 'NotGranted'
  | 'NotFound'
  /** The name leads out of the directory, or through a link. */
  | 'Escapes'
  | 'AccessDenied'
  | 'Exists'
  | 'NotEmpty'
  | 'NoSpace'
  | 'InputOutput'
  /** Another program has the address, or is writing to the file. */
  | 'InUse'
  /** Nobody listens at the address, or it cannot be reached. */
  | 'Unreachable'
  /** The other end has shown no certificate that is accepted, or speaks no TLS. */
  | 'Untrusted'
  | 'LimitExceeded'
  | 'Unsupported'
  /** The simulator has no substitute for this thing. */
  | 'NotSimulated'
  | 'Closed';

/** An error of the host. Its text names no path of the host beyond what the config itself says. */
export type HostError = RpcError<HostErrorCode>;

/** Refuses an access that is none: components in JavaScript may leave it out. */
export function checkAccess(access: unknown): void {
  if (access === 'ro' || access === 'rw') return;
  throw new RpcError('InvalidArgument', `access is ${JSON.stringify(access)}, and not "ro" or "rw"`);
}

/**
 * An open file. Many operations may be under way, and they complete in any order. If the owner of a
 * dataspace takes it back while an operation uses its memory, the operation completes in the old
 * memory; an operation that starts later rejects with `Revoked`.
 */
export interface HostFile {
  readonly writeable: boolean;
  /** The size in bytes when the file was opened; of a block device, its capacity. */
  readonly sizeBytes: number;
  /** The size in bytes now. */
  size(): Promise<number>;
  /**
   * Has `handler` called soon after the size has changed, whoever has changed it. The result ends
   * that.
   */
  onResized(handler: () => void): () => void;
  /**
   * Reads exactly `into.byteLength` bytes at `position`; rejects with `InputOutput` at the end of
   * the file.
   */
  read(into: Uint8Array, position: number): Promise<void>;
  /** Writes all of `from` at `position`. */
  write(from: Uint8Array, position: number): Promise<void>;
  /** Settles when everything that was written before is on stable storage. */
  sync(): Promise<void>;
  /**
   * Makes a range within the file read as zeros, without writing them. Resolves to false if the
   * host cannot: the range may then hold zeros in part.
   */
  zero(position: number, bytes: number): Promise<boolean>;
  /**
   * Gives back the space of a range within the file. What it holds afterwards is undefined.
   * Resolves to false if the host cannot.
   */
  discard(position: number, bytes: number): Promise<boolean>;
  /**
   * Gives the file another size; what is added reads as zeros. A device has the size that it has.
   */
  resize(sizeBytes: number): Promise<void>;
  /** Settles when the file is closed. Operations that are under way end first. */
  close(): Promise<void>;
}

/** How a granted file is opened. */
export interface HostFileOptions {
  /**
   * Past the host's cache, directly from and to the medium, wherever memory and positions are
   * aligned to it. Rejects with `Unsupported` if the file's file system cannot do that.
   */
  readonly direct?: boolean;
  /** Whether to use nothing but the pool of threads, even where the host has a faster way. */
  readonly pool?: boolean;
  /**
   * A file that is opened for reading is locked, too, as far as the host can: nobody else may write
   * to it meanwhile. Rejects with `InUse` if somebody does.
   */
  readonly steady?: boolean;
}

/** An entry of a directory. Links are listed, and never followed. */
export interface HostEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

/** The status of an entry, which can be had without opening it. */
export interface HostEntryStatus {
  readonly kind: HostEntry['kind'];
  readonly sizeBytes: number;
  /** When its content last changed, in milliseconds since the start of 1970. */
  readonly modifiedMs: number;
}

/** How a file in a directory is opened. By default it must exist. */
export interface HostOpenOptions {
  /** Makes the file if it is not there. Needs access `rw`. */
  readonly create?: boolean;
  /** Empties the file. Needs access `rw`. */
  readonly truncate?: boolean;
}

/**
 * A granted directory with everything in it. Names are relative to it, with `/` between their
 * elements. An absolute name, a name with `..`, and a name that leads through a link reject with
 * `Escapes`. Operations that change anything reject with `NotGranted` if the grant is for reading
 * only.
 */
export interface HostDirectory {
  readonly writeable: boolean;
  /**
   * The entries of the directory, or of the directory `name` below it, in no particular order: at
   * most `LIMITS.hostDirectoryEntries`.
   */
  list(name?: string): Promise<HostEntry[]>;
  status(name: string): Promise<HostEntryStatus>;
  openFile(name: string, access: 'ro' | 'rw', options?: HostOpenOptions): Promise<HostFile>;
  makeDirectory(name: string): Promise<void>;
  /** Removes a file, a link, or an empty directory. */
  remove(name: string): Promise<void>;
  /** Renames an entry. If there is a file with the name `to`, it is replaced. */
  rename(from: string, to: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * An open device. Operations transfer as many bytes as the device does, perhaps fewer than asked.
 */
export interface HostDevice {
  readonly writeable: boolean;
  /**
   * Resolves to the number of bytes read, 0 at the end. Without `position` the device is read as a
   * stream.
   */
  read(into: Uint8Array, position?: number): Promise<number>;
  /** Resolves to the number of bytes written. */
  write(from: Uint8Array, position?: number): Promise<number>;
  close(): Promise<void>;
}

/** A stream of bytes that the other end sends. */
export interface HostSource {
  /**
   * The next bytes, at most `LIMITS.hostReadBytes`; `undefined` at the end. One read at a time.
   * While nobody reads, nothing more is taken from the other end.
   */
  read(): Promise<Uint8Array | undefined>;
}

/** A stream of bytes that this end sends. */
export interface HostSink {
  /**
   * Settles when there is room for more; until then `bytes` must not be changed. One write takes at
   * most `LIMITS.hostWriteBytes`.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that no more will be written. Settles when everything is on its way. */
  end(): Promise<void>;
}

/**
 * How a connection is secured by TLS (1.2 or newer). Keys and certificates are texts in PEM, which
 * the component reads from granted files or from ROM modules: nothing is taken from the host.
 */
export interface HostTls {
  /** The end of the handshake that this one is. A server needs a certificate and its key. */
  readonly role: 'client' | 'server';
  readonly certificate?: string;
  readonly key?: string;
  /**
   * The authorities by which the other end must be certified. Without them a client takes those
   * that Node was built with, and a server wants no certificate from its clients.
   */
  readonly authority?: string;
  /** The name, or IP address, that the server's certificate must be for. A client needs it. */
  readonly serverName?: string;
}

/** A connection over TCP, or over a socket of the file system. */
export interface HostConnection extends HostSource, HostSink {
  /** The address of the other end, for people; empty for a socket of the file system. */
  readonly peer: string;
  /**
   * Secures the connection: settles when both ends have shown what they must, and from then on
   * everything that is read and written is encrypted. Rejects with `Untrusted`, or with
   * `Unreachable` if the other end went or took too long; the connection is closed then. No read
   * may be under way, and everything that came before must have been read.
   */
  startTls(tls: HostTls): Promise<void>;
  /** Ends the connection at once, in both directions. */
  close(): Promise<void>;
}

/** A listening socket. */
export interface HostListener {
  /**
   * The address where it listens, as HOST:PORT; the port is the one that was chosen if 0 is
   * granted. For a socket in the file system it is the socket's name.
   */
  readonly address: string;
  /**
   * The next connection. Rejects with `Closed` once the listener is closed. Connections that are
   * not accepted wait, at most `LIMITS.hostConnectionsWaiting` of them.
   */
  accept(): Promise<HostConnection>;
  /** Stops listening. Connections that were accepted go on. */
  close(): Promise<void>;
}

/** How a program ended. */
export interface HostProcessEnd {
  /** The exit code; missing if a signal has ended the program. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/**
 * A running program. However the component ends, the program ends with it, and so does everything
 * that it has started in its process group.
 */
export interface HostProcess {
  readonly input: HostSink;
  readonly output: HostSource;
  readonly errors: HostSource;
  /** Settles when it has ended. */
  readonly ended: Promise<HostProcessEnd>;
  /**
   * The time of the CPUs that it has used so far, in microseconds; nothing if the host does not
   * tell, or it has ended.
   */
  cpuUs(): Promise<number | undefined>;
  kill(signal?: 'TERM' | 'KILL' | 'INT' | 'HUP'): void;
}

/**
 * A private directory for one run of a granted program: files and sockets through which the two
 * meet, where nobody else of the host comes in. The program runs in it, so it knows what is there
 * by the same short names. However the component ends, the program ends and the directory goes away
 * with everything in it.
 */
export interface HostWorkplace {
  readonly directory: HostDirectory;
  /** Listens at a socket of the directory. */
  listen(name: string): Promise<HostListener>;
  /** Connects to a socket that the program has made in the directory. */
  connect(name: string): Promise<HostConnection>;
  /**
   * Runs the program, once. Its environment has PATH and LANG, and nothing else. When it has ended,
   * the directory is still there.
   */
  run(args?: readonly string[]): Promise<HostProcess>;
  /** Ends the program and removes the directory; settles when both are gone. */
  close(): Promise<void>;
}

/** How a file system is mounted. */
export interface HostMountOptions {
  /** The name of the file system in the host's list of mounts. */
  readonly source: string;
  readonly readOnly: boolean;
  /** Whether users other than that of ginit may look at it. */
  readonly allowOther: boolean;
  /** The longest message that the kernel sends, which the driver agrees on with it. */
  readonly requestBytesMax: number;
}

/**
 * A directory of the host where a file system is mounted whose driver this component is: the kernel
 * asks, in the messages of its FUSE protocol, and the component answers. However the component
 * ends, the mount goes away with it, and what waits for it fails.
 */
export interface HostMount {
  /**
   * Calls `take` with every message of the kernel from now on; its memory is good until `take`
   * returns.
   */
  serve(take: (request: Uint8Array) => void): void;
  /**
   * Sends one message, made of these parts, at once. False if the kernel does not want it any more:
   * who asked has been killed, or the mount is gone. A message that is none throws.
   */
  answer(parts: readonly Uint8Array[]): boolean;
  /**
   * Sends a message that nobody has asked for. The kernel may keep it waiting until others have
   * been answered, so it must not be waited for where those are.
   */
  notify(parts: readonly Uint8Array[]): Promise<boolean>;
  /** Settles when there is no mount any more, whoever has taken it away. */
  readonly ended: Promise<void>;
  /** Takes the mount away, while it is still served. False if somebody uses it: then it stays. */
  unmount(): Promise<boolean>;
  /** Takes the mount away whoever uses it. Settles when it is gone. */
  close(): Promise<void>;
}

/** The host as the config grants it. Everything rejects with `HostError`. */
export interface HostAccess {
  /** The grants that the component was started with, as the config spells them. */
  readonly grants: readonly HostGrantFact[];
  /**
   * A grant as a capability, to be handed on: one of `grants`, or the same for reading only. A
   * component that only hands grants on does not list them in its manifest.
   */
  grant(wanted: HostGrantFact): Promise<Capability<typeof HostGrant>>;
  /** Opens a granted file by the path in the config. */
  openFile(path: string, access: 'ro' | 'rw', options?: HostFileOptions): Promise<HostFile>;
  openDirectory(path: string): Promise<HostDirectory>;
  openDevice(path: string, access: 'ro' | 'rw'): Promise<HostDevice>;
  /** Listens at a granted address: HOST:PORT, or `unix:PATH`. */
  listen(address: string): Promise<HostListener>;
  /** Connects to a granted address: HOST:PORT, or `unix:PATH`. */
  connect(address: string): Promise<HostConnection>;
  /**
   * Runs a granted program with any arguments, in the directory `/`. Its environment has PATH and
   * LANG, and nothing else.
   */
  run(path: string, args?: readonly string[]): Promise<HostProcess>;
  /** Makes a private directory in which a granted program can be run. */
  workplace(path: string): Promise<HostWorkplace>;
  /** Mounts a file system at a granted directory. The message of a refusal says what to do. */
  mount(path: string, options: HostMountOptions): Promise<HostMount>;
}

/**
 * A grant with the thing on the host that it leads to. A component's own code never sees the
 * latter.
 */
export interface ResolvedGrant extends HostGrantFact {
  readonly target: string;
}

/** A granted thing: where it is on the host, and the name in the config, for messages. */
export type HostPlace = Pick<ResolvedGrant, 'target' | 'path'>;

/** The operations of a platform for drivers. The caller has checked that the use is granted. */
export interface HostPlatform {
  openFile(place: HostPlace, access: 'ro' | 'rw', options?: HostFileOptions): Promise<HostFile>;
  openDirectory(place: HostPlace, access: 'ro' | 'rw'): Promise<HostDirectory>;
  openDevice(place: HostPlace, access: 'ro' | 'rw'): Promise<HostDevice>;
  listen(kind: 'tcp' | 'unix', place: HostPlace): Promise<HostListener>;
  connect(kind: 'tcp' | 'unix', place: HostPlace): Promise<HostConnection>;
  run(place: HostPlace, args: readonly string[]): Promise<HostProcess>;
  workplace(place: HostPlace): Promise<HostWorkplace>;
  mount(place: HostPlace, options: HostMountOptions): Promise<HostMount>;
}
