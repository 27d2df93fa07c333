/**
 * Serves a file system as File_system sessions: each session gets the directory and the rights that the config's
 * `<policy>` for its label gives it, narrowed by the session arguments `root` and `writeable`.
 */
import { type AttributeSchema, attribute, parseBoolean } from '../../../config/index.ts';
import type { Env, SessionContext } from '../../../env.ts';
import { SessionError } from '../../../errors.ts';
import { selectPolicy } from '../../../policy.ts';
import { FileSystem } from '../../file-system.ts';
import { checkedPath } from '../names.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';
import { Failures } from './failures.ts';
import { walkPath } from './path-walk.ts';
import { FileSystemServerSession } from './session.ts';

/** Attributes of a File_system server's policies, for `policyElements`. */
export const fileSystemPolicyAttributes: Readonly<Record<string, AttributeSchema>> = {
  root: attribute.text('The directory that such a session sees as /', { fallback: '/' }),
  writeable: attribute.boolean('Whether such a session may change anything', { fallback: 'no' }),
};

/** Handles that one session may have open unless told otherwise. */
const HANDLES_MAX_DEFAULT = 4096;

/** What the library uses of a component's `env`. */
export type FileSystemServerEnv = Pick<Env, 'config' | 'provide' | 'error'>;

/** Options of `serveFileSystem`. */
export interface ServeFileSystemOptions {
  /** Handles that one session may have open. */
  readonly handlesMax?: number;
}

type Context = Pick<SessionContext<typeof FileSystem>, 'label' | 'args' | 'streams'>;

/** Announces File_system and serves it from `backend`, by the policies of the component's config. */
export function serveFileSystem<Node extends BackendNode>(
  env: FileSystemServerEnv,
  backend: FileSystemBackend<Node>,
  options: ServeFileSystemOptions = {},
): void {
  const report = (error: unknown): void => {
    void env.error(
      `unexpected error of the file system: ${error instanceof Error ? error.stack : String(error)}`,
    );
  };
  env.provide(FileSystem, (context) => openSession(env, backend, context, options, report));
}

async function openSession<Node extends BackendNode>(
  env: FileSystemServerEnv,
  backend: FileSystemBackend<Node>,
  { label, args, streams }: Context,
  options: ServeFileSystemOptions,
  report: (error: unknown) => void,
): Promise<FileSystemServerSession<Node>> {
  const policy = selectPolicy(env.config.node, label);
  if (policy === undefined) throw new SessionError('DENIED', `no policy defined for label "${label.text}"`);
  const writeable = writeableArgument(args['writeable']) && policy.boolean('writeable', false);
  const argument = rootArgument(args['root']);
  const failures = new Failures((error) => backend.errorCode(error), report);
  backend.hold(backend.root);
  const policyRoot = await below(backend, failures, backend.root, policy.string('root', '/'));
  const root = await below(backend, failures, policyRoot, argument);
  const session = new FileSystemServerSession({
    backend,
    root,
    writeable,
    handlesMax: options.handlesMax ?? HANDLES_MAX_DEFAULT,
    report,
  });
  // A client that never opens its stream has a session without packets.
  streams.tx.then(
    (sink) => session.attach(sink),
    () => undefined,
  );
  return session;
}

/** The directory at `path` below `base`, held; gives `base` back. */
async function below<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  failures: Failures,
  base: Node,
  path: string,
): Promise<Node> {
  try {
    return await walkPath(backend, base, `${checkedPath(path)}/`, true);
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
