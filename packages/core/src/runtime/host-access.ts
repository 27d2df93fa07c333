/**
 * What a driver sees of the host: the things its start node grants, each by the name the config gives it. A driver that keeps
 * to this imports nothing of Node, so the simulator only swaps the platform, and what is not granted cannot be named. One that
 * imports Node's own modules instead is held by its jail only, if it has one.
 */
import type { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { HostGrant, HostGrantFact } from '../session/host-grant.ts';

/** Why the host refused. */
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
  /** Somebody else has the address, or writes to the file. */
  | 'InUse'
  /** Nobody listens at the address, or it cannot be reached. */
  | 'Unreachable'
  | 'LimitExceeded'
  | 'Unsupported'
  /** The simulator has nothing that stands for it. */
  | 'NotSimulated'
  | 'Closed';

/** An error of the host, worded without its paths beyond what the config itself says. */
export type HostError = RpcError<HostErrorCode>;

/**
 * An open file. Many operations may be under way; they complete in any order. Those on memory of a dataspace that its owner
 * takes back meanwhile are completed in the old memory; on one that is gone they reject with `Revoked`.
 */
export interface HostFile {
  readonly writeable: boolean;
  /** Size when it was opened, in bytes; for block devices the capacity. */
  readonly sizeBytes: number;
  /** Reads exactly `into.byteLength` bytes at `position`; rejects with `InputOutput` at the end of the file. */
  read(into: Uint8Array, position: number): Promise<void>;
  /** Writes all of `from` at `position`. */
  write(from: Uint8Array, position: number): Promise<void>;
  /** Everything written before is on stable storage when this settles. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What stands in a directory. Links are listed, and never followed. */
export interface HostEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

/** What is known of an entry without opening it. */
export interface HostEntryStatus {
  readonly kind: HostEntry['kind'];
  readonly sizeBytes: number;
  /** Of the last change of its content, in milliseconds since the start of 1970. */
  readonly modifiedMs: number;
}

/** How a file in a directory is opened. */
export interface HostOpenOptions {
  /** Makes it if it is not there. Takes access "rw". */
  readonly create?: boolean;
  /** Empties it. Takes access "rw". */
  readonly truncate?: boolean;
}

/**
 * A granted directory with all that is in it. Names are relative to it, with `/` between their elements; one with `..`, an
 * absolute one, and one that leads through a link rejects with `Escapes`. Operations that change anything reject with
 * `NotGranted` if it is granted for reading only.
 */
export interface HostDirectory {
  readonly writeable: boolean;
  /** What is in it, or in the directory `name` below it, in no order; at most `LIMITS.hostDirectoryEntries`. */
  list(name?: string): Promise<HostEntry[]>;
  status(name: string): Promise<HostEntryStatus>;
  openFile(name: string, access: 'ro' | 'rw', options?: HostOpenOptions): Promise<HostFile>;
  makeDirectory(name: string): Promise<void>;
  /** Removes a file, a link, or an empty directory. */
  remove(name: string): Promise<void>;
  /** Replaces `to` if that is a file. */
  rename(from: string, to: string): Promise<void>;
  close(): Promise<void>;
}

/** An open device. Operations take and give as many bytes as the device does. */
export interface HostDevice {
  readonly writeable: boolean;
  /** Number of bytes read; 0 at the end. Without `position` it is read as a stream. */
  read(into: Uint8Array, position?: number): Promise<number>;
  /** Number of bytes written. */
  write(from: Uint8Array, position?: number): Promise<number>;
  close(): Promise<void>;
}

/** Bytes that come. */
export interface HostSource {
  /**
   * The next bytes, at most `LIMITS.hostReadBytes`; `undefined` at the end. One read at a time. Nothing more is taken from the
   * other end while nobody reads.
   */
  read(): Promise<Uint8Array | undefined>;
}

/** Bytes that go. */
export interface HostSink {
  /** Settles when there is room for more; `bytes` is free to be changed then. At most `LIMITS.hostWriteBytes` at a time. */
  write(bytes: Uint8Array): Promise<void>;
  /** No more will be written; settles when everything is on its way. */
  end(): Promise<void>;
}

/** A connection over TCP, or over a socket of the file system. */
export interface HostConnection extends HostSource, HostSink {
  /** Address of the other end, for people; empty for a socket of the file system. */
  readonly peer: string;
  /** Ends it at once, both ways. */
  close(): Promise<void>;
}

/** A listening socket. */
export interface HostListener {
  /** Where it listens, HOST:PORT; with the port that was chosen where 0 is granted. Of a socket in the file system its name. */
  readonly address: string;
  /** The next connection. Rejects with `Closed` once it is closed. Those that nobody accepts wait, bounded. */
  accept(): Promise<HostConnection>;
  /** Connections that were accepted go on. */
  close(): Promise<void>;
}

/** How a program ended. */
export interface HostProcessEnd {
  /** Missing if a signal has ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** A running program. It, and what it has started in its process group, ends with the component, whichever way that ends. */
export interface HostProcess {
  readonly input: HostSink;
  readonly output: HostSource;
  readonly errors: HostSource;
  /** Settles when it has ended. */
  readonly ended: Promise<HostProcessEnd>;
  kill(signal?: 'TERM' | 'KILL' | 'INT' | 'HUP'): void;
}

/** The granted part of the host. Everything rejects with `HostError`. */
export interface HostAccess {
  /** What the start node grants, as the config spells it. */
  readonly grants: readonly HostGrantFact[];
  /** A grant to be handed on: one of `grants`, or the same for reading only. Whoever only hands on needs no manifest for it. */
  grant(wanted: HostGrantFact): Promise<Capability<typeof HostGrant>>;
  /** Opens a granted file by the path that the config spells. */
  openFile(path: string, access: 'ro' | 'rw'): Promise<HostFile>;
  openDirectory(path: string): Promise<HostDirectory>;
  openDevice(path: string, access: 'ro' | 'rw'): Promise<HostDevice>;
  /** Listens at a granted address: HOST:PORT, or `unix:PATH`. */
  listen(address: string): Promise<HostListener>;
  /** Connects to a granted address: HOST:PORT, or `unix:PATH`. */
  connect(address: string): Promise<HostConnection>;
  /**
   * Runs a granted program, with any arguments, in the directory `/`; it finds PATH and LANG in its environment, and nothing
   * else.
   */
  run(path: string, args?: readonly string[]): Promise<HostProcess>;
}

/** A grant with what it leads to; the latter never reaches a component's own code. */
export interface ResolvedGrant extends HostGrantFact {
  readonly target: string;
}

/** A granted thing: where it is, and what the config calls it, for messages. */
export type HostPlace = Pick<ResolvedGrant, 'target' | 'path'>;

/** What a platform has to do for drivers; that it is granted has been checked. */
export interface HostPlatform {
  openFile(place: HostPlace, access: 'ro' | 'rw'): Promise<HostFile>;
  openDirectory(place: HostPlace, access: 'ro' | 'rw'): Promise<HostDirectory>;
  openDevice(place: HostPlace, access: 'ro' | 'rw'): Promise<HostDevice>;
  listen(kind: 'tcp' | 'unix', place: HostPlace): Promise<HostListener>;
  connect(kind: 'tcp' | 'unix', place: HostPlace): Promise<HostConnection>;
  run(place: HostPlace, args: readonly string[]): Promise<HostProcess>;
}
