/**
 * The services that the supervisor provides to root init, and what closing a session of each means.
 */
import { SessionError } from '../errors.ts';
import type { Capability, Implementation, Interface, SessionInterface } from '../interface/interface.ts';
import { LABEL_SEPARATOR, prependLabel, splitLabel } from '../label.ts';
import type { RomModule } from '../runtime/rom-module.ts';
import { sessionCost } from '../runtime/session-cost.ts';
import { readOrDeny, refuseTooLittle } from '../session/session-memory.ts';
import { Cpu } from '../session/cpu.ts';
import { Log } from '../session/log.ts';
import { Machine } from '../session/machine.ts';
import { type RootRequest, SomeSession } from '../session/parent.ts';
import { Pd } from '../session/pd.ts';
import { Report } from '../session/report/index.ts';
import { Rom } from '../session/rom.ts';
import { isConfined } from '../session/confinement.ts';
import { schedulingOf } from '../session/scheduling.ts';
import { Terminal } from '../session/terminal/index.ts';
import { Timer } from '../session/timer.ts';
import { Trace } from '../session/trace/declaration.ts';
import type { Resources } from '../session/pd.ts';
import type { TraceService } from './trace-service.ts';
import { Account } from './account.ts';
import { BinaryRom, type FindBinary } from './binary-service.ts';
import { type CpuParts, CpuSession, ROOT_LABEL } from './cpu-session.ts';
import { type KeptMachine, KeptMachines } from './kept-machines.ts';
import { type KeptReport, KeptReports } from './kept-reports.ts';
import { type KeptTerminal, KeptTerminals } from './kept-terminals.ts';
import { LogSession } from './log-session.ts';
import { PdSession } from './pd-service.ts';
import { TimerSession } from './timer-session.ts';

/** An open session of one of the supervisor's services. */
export interface SupervisorSession {
  readonly capability: Capability<typeof SomeSession>;
  readonly close: () => Promise<void>;
  /** The client has donated more; missing where that changes nothing. */
  readonly upgraded?: (more: Resources) => void;
}

/** The label of the ROM session with the config of the system. Only root init can ask for it. */
const CONFIG_LABEL = prependLabel(ROOT_LABEL, 'config');

/** Opens sessions of the supervisor's own services. */
export class SupervisorServices {
  readonly #parts: CpuParts & { readonly traces: TraceService };
  readonly #config: RomModule;
  readonly #reports = new KeptReports();
  readonly #terminals = new KeptTerminals();
  readonly #machines = new KeptMachines();
  readonly #findBinary: FindBinary;

  /**
   * `config` is the module behind root init's config. `findBinary` is asked for each session anew;
   * sessions that are open keep what it has found.
   */
  constructor(
    parts: CpuParts & { readonly traces: TraceService },
    config: RomModule,
    findBinary: FindBinary,
  ) {
    this.#parts = parts;
    this.#config = config;
    this.#findBinary = findBinary;
  }

  /** The newest report of each open Report session. */
  get reports(): readonly KeptReport[] {
    return this.#reports.all;
  }

  /** The open Terminal sessions. */
  get terminals(): readonly KeptTerminal[] {
    return this.#terminals.all;
  }

  /** The open Machine sessions. */
  get machines(): readonly KeptMachine[] {
    return this.#machines.all;
  }

  /** Names of the services. */
  static readonly names: readonly string[] = [Pd, Cpu, Log, Rom, Timer, Report, Terminal, Machine, Trace].map(
    ({ service }) => service,
  );

  /**
   * Opens a session. The label is complete, from the root of the tree on. Throws `SessionError` if
   * there is no such session, or if its donation is less than what it costs.
   */
  open(service: string, request: RootRequest): SupervisorSession {
    const { label, args } = request;
    const { platform, threads } = this.#parts;
    switch (service) {
      case Pd.service: {
        const session = new PdSession(new Account(label), threads);
        return this.#serve(
          Pd,
          request,
          () => session,
          async () => void (await session.end()),
        );
      }
      case Cpu.service:
        return this.#serve(Cpu, request, () => {
          const means = { scheduling: schedulingOf(args), confined: isConfined(args) };
          return new CpuSession(this.#parts, label, means);
        });
      case Log.service:
        return this.#serve(Log, request, () => new LogSession(platform, label));
      case Timer.service:
        return this.#serve(Timer, request, () => new TimerSession(platform));
      case Report.service:
        return this.#serve(Report, request, () => this.#reports.open(request));
      case Terminal.service:
        return this.#serve(Terminal, request, () => this.#terminals.open(request));
      case Machine.service:
        return this.#serve(Machine, request, () => this.#machines.open(request));
      case Trace.service: {
        const session = this.#parts.traces.open(scopeOf(label), request);
        const served = this.#serve(Trace, request, () => session);
        return { ...served, upgraded: (more) => session.upgraded(more) };
      }
      case Rom.service:
        return this.#openRom(request);
      default:
        throw new SessionError('DENIED', `core provides no service "${service}"`);
    }
  }

  /**
   * A binary is found by the last element of the label, whichever component asks, because binaries
   * are no secret. What its start demands depends on the elements before the last, which parents
   * have written. The config of the system is found by its whole label, which only root init can
   * have.
   */
  #openRom(request: RootRequest): SupervisorSession {
    const { label } = request;
    if (label === CONFIG_LABEL) return this.#serve(Rom, request, () => this.#config.open());
    const { prefix, last: name } = splitLabel(label);
    const binary = this.#findBinary(name, prefix);
    if (binary) return this.#serve(Rom, request, () => new BinaryRom(binary));
    const text = `core has no ROM "${name}": no stock component, and no binary that the config names`;
    throw new SessionError('DENIED', text);
  }

  #serve<I extends SessionInterface>(
    interface_: I,
    request: RootRequest,
    make: () => Implementation<I>,
    ended: () => Promise<void> = async () => {},
  ): SupervisorSession {
    refuseTooLittle(
      request,
      readOrDeny(() => sessionCost(interface_, request.args, [])),
    );
    const { entrypoint } = this.#parts.components;
    const implementation = make();
    return {
      capability: someSession(entrypoint.export(interface_, implementation)),
      close: async () => {
        entrypoint.revoke(implementation);
        const dispose = implementation[Symbol.asyncDispose] ?? implementation[Symbol.dispose];
        await dispose?.call(implementation);
        await ended();
      },
    };
  }
}

/** What a session sees whose client has given it no label of its own is the client and below it. */
function scopeOf(label: string): string {
  return label.endsWith(LABEL_SEPARATOR) ? label.slice(0, -LABEL_SEPARATOR.length) : label;
}

/**
 * The same capability as one of the empty interface: it has all the operations of that interface.
 */
function someSession(capability: Capability<Interface>): Capability<typeof SomeSession> {
  return capability;
}
