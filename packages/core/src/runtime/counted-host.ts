/**
 * Access to the host that counts each request when it is done, whether it succeeds or fails
 * (`completed.ts`).
 */
import type { Completed } from './completed.ts';
import type {
  HostAccess,
  HostConnection,
  HostDevice,
  HostDirectory,
  HostFile,
  HostListener,
  HostMount,
  HostProcess,
  HostSink,
  HostSource,
  HostWorkplace,
} from './host-access.ts';

/** The same access to the host, counted. */
export function countedHost(host: HostAccess, progress: Completed): HostAccess {
  const { file, directory, device, listener, connection, program, workplace, counted } =
    countedThings(progress);
  return {
    grants: host.grants,
    grant: (wanted) => host.grant(wanted),
    openFile: async (path, access, options) => file(await counted(host.openFile(path, access, options))),
    openDirectory: async (path) => directory(await counted(host.openDirectory(path))),
    openDevice: async (path, access) => device(await counted(host.openDevice(path, access))),
    listen: async (address) => listener(await counted(host.listen(address))),
    connect: async (address) => connection(await counted(host.connect(address))),
    run: async (path, args) => program(await counted(host.run(path, args))),
    workplace: async (path) => workplace(await counted(host.workplace(path))),
    mount: async (path, options) => countedMount(await counted(host.mount(path, options)), progress),
  };
}

/** Each answer to the kernel is a request that is done. */
function countedMount(of: HostMount, progress: Completed): HostMount {
  return {
    serve: (take) => of.serve(take),
    answer: (parts) => {
      progress.hostRequests++;
      return of.answer(parts);
    },
    notify: (parts) => of.notify(parts),
    ended: of.ended,
    unmount: () => of.unmount(),
    close: () => of.close(),
  };
}

interface CountedThings {
  readonly counted: <T>(request: Promise<T>) => Promise<T>;
  readonly file: (file: HostFile) => HostFile;
  readonly directory: (directory: HostDirectory) => HostDirectory;
  readonly device: (device: HostDevice) => HostDevice;
  readonly source: (source: HostSource) => HostSource;
  readonly sink: (sink: HostSink) => HostSink;
  readonly listener: (listener: HostListener) => HostListener;
  readonly connection: (connection: HostConnection) => HostConnection;
  readonly program: (program: HostProcess) => HostProcess;
  readonly workplace: (workplace: HostWorkplace) => HostWorkplace;
}

function countedThings(progress: Completed): CountedThings {
  const counted = <T>(request: Promise<T>): Promise<T> =>
    request.then(
      (result) => {
        progress.hostRequests++;
        return result;
      },
      (error: unknown) => {
        progress.hostRequests++;
        throw error;
      },
    );
  const file = (of: HostFile): HostFile => ({
    writeable: of.writeable,
    sizeBytes: of.sizeBytes,
    read: (into, position) => counted(of.read(into, position)),
    write: (from, position) => counted(of.write(from, position)),
    size: () => counted(of.size()),
    onResized: (handler) => of.onResized(handler),
    sync: () => counted(of.sync()),
    zero: (position, bytes) => counted(of.zero(position, bytes)),
    discard: (position, bytes) => counted(of.discard(position, bytes)),
    resize: (sizeBytes) => counted(of.resize(sizeBytes)),
    close: () => counted(of.close()),
  });
  const directory = (of: HostDirectory): HostDirectory => ({
    writeable: of.writeable,
    list: (name) => counted(of.list(name)),
    status: (name) => counted(of.status(name)),
    openFile: async (name, access, options) => file(await counted(of.openFile(name, access, options))),
    makeDirectory: (name) => counted(of.makeDirectory(name)),
    remove: (name) => counted(of.remove(name)),
    rename: (from, to) => counted(of.rename(from, to)),
    close: () => counted(of.close()),
  });
  const device = (of: HostDevice): HostDevice => ({
    writeable: of.writeable,
    read: (into, position) => counted(of.read(into, position)),
    write: (from, position) => counted(of.write(from, position)),
    close: () => counted(of.close()),
  });
  const source = (of: HostSource): HostSource => ({ read: () => counted(of.read()) });
  const sink = (of: HostSink): HostSink => ({
    write: (bytes) => counted(of.write(bytes)),
    end: () => counted(of.end()),
  });
  const connection = (of: HostConnection): HostConnection => ({
    peer: of.peer,
    ...source(of),
    ...sink(of),
    startTls: (tls) => counted(of.startTls(tls)),
    close: () => counted(of.close()),
  });
  const listener = (of: HostListener): HostListener => ({
    address: of.address,
    accept: async () => connection(await counted(of.accept())),
    close: () => counted(of.close()),
  });
  const things = { counted, file, directory, device, source, sink, listener, connection };
  return { ...things, ...countedPrograms(things) };
}

/** The things that are made of several others. */
function countedPrograms({
  counted,
  source,
  sink,
  directory,
  listener,
  connection,
}: Omit<CountedThings, 'program' | 'workplace'>): Pick<CountedThings, 'program' | 'workplace'> {
  const program = (of: HostProcess): HostProcess => ({
    input: sink(of.input),
    output: source(of.output),
    errors: source(of.errors),
    ended: counted(of.ended),
    cpuUs: () => counted(of.cpuUs()),
    kill: (signal) => of.kill(signal),
  });
  const workplace = (of: HostWorkplace): HostWorkplace => ({
    directory: directory(of.directory),
    listen: async (name) => listener(await counted(of.listen(name))),
    connect: async (name) => connection(await counted(of.connect(name))),
    run: async (args) => program(await counted(of.run(args))),
    close: () => counted(of.close()),
  });
  return { program, workplace };
}
