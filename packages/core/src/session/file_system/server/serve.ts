/**
 * The server's side of a File_system session: a session gets the directory and the rights that the
 * config's `<policy>` for its label gives it, narrowed by the session arguments `root` and
 * `writeable`.
 *
 *     env.provide(FileSystem, (session) =>
 *       serveFileSystem(session, backend, { config: env.config.read(CONFIG), report: (error) => env.error(String(error)) }),
 *     );
 */
import { attribute, parseBoolean, policyElements } from '../../../config/index.ts';
import { SessionError } from '../../../errors.ts';
import type { Implementation, ServerStreams } from '../../../interface/interface.ts';
import type { Label } from '../../../label.ts';
import { type PolicyConfig, type PolicySelection, requiredPolicy } from '../../../policy.ts';
import type { FileSystem } from '../declaration.ts';
import type { SessionArguments } from '../../parent.ts';
import { checkedPath } from '../names.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';
import { Failures } from './failures.ts';
import { walkBackend } from './backend-tree.ts';
import { FileSystemServerSession } from './session.ts';

/** The children `<policy>` and `<default-policy>` of a File_system server's config. */
export const FILE_SYSTEM_POLICY_ELEMENTS = policyElements({
  root: attribute.text('The directory that these sessions see as /', { fallback: '/' }),
  writeable: attribute.boolean('Whether these sessions may change anything', { fallback: false }),
});

/** The attributes of such a policy. */
interface FileSystemPolicy {
  readonly root: string;
  readonly writeable: boolean;
}

/** Handles that one session may have open unless told otherwise. */
const HANDLES_MAX_DEFAULT = 4096;

/** The part of a session request that is needed to serve it. */
export interface FileSystemSessionContext {
  readonly label: Label;
  readonly args: SessionArguments;
  readonly streams: ServerStreams<typeof FileSystem>;
}

/** Options of `serveFileSystem`. */
export interface ServeFileSystemOptions {
  /** The server's config, for its policies: its schema has `FILE_SYSTEM_POLICY_ELEMENTS`. */
  readonly config: PolicyConfig<PolicySelection & FileSystemPolicy, FileSystemPolicy>;
  /** Takes errors that the backend did not mean to throw; the client sees `Input_output`. */
  readonly report: (error: unknown) => void;
  /** Handles that one session may have open. */
  readonly handlesMax?: number;
}

/**
 * Serves `backend` to one client. Rejects with `DENIED` if no policy is for its label, the
 * directory that it asks for is none, or its arguments are malformed.
 */
export async function serveFileSystem<Node extends BackendNode>(
  session: FileSystemSessionContext,
  backend: FileSystemBackend<Node>,
  options: ServeFileSystemOptions,
): Promise<Implementation<typeof FileSystem>> {
  const { label, args, streams } = session;
  const { config, report, handlesMax = HANDLES_MAX_DEFAULT } = options;
  const policy = requiredPolicy(config, label);
  const writeable = writeableArgument(args['writeable']) && policy.writeable;
  const below = rootArgument(args['root']);
  const failures = new Failures((error) => backend.errorCode(error), report);
  backend.hold(backend.root);
  const policyRoot = await descend(backend, failures, backend.root, policy.root);
  const root = await descend(backend, failures, policyRoot, below);
  const server = new FileSystemServerSession({ backend, root, writeable, handlesMax, report });
  streams.tx.then(
    (sink) => server.attach(sink),
    // The client never opened its stream.
    () => {},
  );
  return server;
}

/** The directory at `path` below `base`, held; gives `base` back. */
async function descend<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  failures: Failures,
  base: Node,
  path: string,
): Promise<Node> {
  try {
    return await walkBackend(backend, base, `${checkedPath(path)}/`, true);
  } catch (error) {
    throw new SessionError('DENIED', `root "${path}": ${failures.codeOf(error)}`);
  } finally {
    await backend.release(base);
  }
}

function rootArgument(value: unknown): string {
  if (value === undefined) return '/';
  if (typeof value === 'string') return value;
  throw new SessionError('DENIED', 'the argument "root" is a path');
}

function writeableArgument(value: unknown): boolean {
  if (value === undefined) return true;
  const writeable = typeof value === 'string' ? parseBoolean(value) : value;
  if (typeof writeable === 'boolean') return writeable;
  throw new SessionError('DENIED', 'the argument "writeable" is yes or no');
}
