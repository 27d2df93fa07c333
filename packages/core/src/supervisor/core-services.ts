/** The services that core provides to the root of the tree, and what closing a session of each means. */
import type { Capability, Implementation, Interface, SessionInterface } from '../interface/interface.ts';
import { prependLabel, splitLabel } from '../label.ts';
import { linesOf, visibleText } from '../log-text.ts';
import type { RomModule } from '../runtime/rom-module.ts';
import { Cpu } from '../session/cpu.ts';
import { Log } from '../session/log.ts';
import { type RootRequest, SomeSession } from '../session/parent.ts';
import { Pd } from '../session/pd.ts';
import { Rom } from '../session/rom.ts';
import { schedulingOf } from '../session/scheduling.ts';
import { Timer } from '../session/timer.ts';
import { Account } from './account.ts';
import { BinaryRom, type FindBinary } from './binary-service.ts';
import { type CpuParts, CpuSession, ROOT_LABEL } from './cpu-session.ts';
import type { Platform } from './platform.ts';
import { PdSession } from './pd-service.ts';
import { TimerSession } from './timer-session.ts';

/** An open session of core's. */
export interface CoreSession {
  readonly capability: Capability<typeof SomeSession>;
  readonly close: () => Promise<void>;
}

/** Why core has no such session. */
export interface NoSession {
  readonly denied: string;
}

/** Label of the ROM session with the config of the system, which only the root can ask for. */
const CONFIG_LABEL = prependLabel(ROOT_LABEL, 'config');

/** Opens sessions of core's own services. */
export class CoreServices {
  readonly #parts: CpuParts;
  readonly #config: RomModule;
  readonly #findBinary: FindBinary;

  /** `config` is the root's. */
  constructor(parts: CpuParts, config: RomModule, findBinary: FindBinary) {
    this.#parts = parts;
    this.#config = config;
    this.#findBinary = findBinary;
  }

  /** Names of the services. */
  static readonly names: readonly string[] = [Pd, Cpu, Log, Rom, Timer].map(({ service }) => service);

  /** Opens a session; the label is complete, from the root of the tree. */
  open(service: string, request: RootRequest): CoreSession | NoSession {
    const { platform } = this.#parts;
    const { label, args } = request;
    switch (service) {
      case Pd.service: {
        const account = new Account(label);
        return this.#serve(Pd, new PdSession(account), () => account.end());
      }
      case Cpu.service:
        return this.#serve(Cpu, new CpuSession(this.#parts, label, schedulingOf(args)));
      case Log.service:
        return this.#serve(Log, { write: (line) => writeLines(platform, label, line) });
      case Timer.service:
        return this.#serve(Timer, new TimerSession(platform));
      case Rom.service:
        return this.#openRom(label);
      default:
        return { denied: `core provides no service "${service}"` };
    }
  }

  /**
   * Binaries are found by the last element of the label, whoever asks: they are public by nature. The config of the system is
   * the root's alone: it goes by the whole label.
   */
  #openRom(label: string): CoreSession | NoSession {
    if (label === CONFIG_LABEL) return this.#serve(Rom, this.#config.open());
    const name = splitLabel(label).last;
    const binary = this.#findBinary(name);
    if (binary) return this.#serve(Rom, new BinaryRom(binary));
    return { denied: `core has no ROM "${name}": no stock component, and no binary that the config names` };
  }

  #serve<I extends SessionInterface>(
    interface_: I,
    implementation: Implementation<I>,
    ended: () => void = () => {},
  ): CoreSession {
    const { entrypoint } = this.#parts.components;
    return {
      capability: someSession(entrypoint.export(interface_, implementation)),
      close: async () => {
        entrypoint.revoke(implementation);
        const dispose = implementation[Symbol.asyncDispose] ?? implementation[Symbol.dispose];
        await dispose?.call(implementation);
        ended();
      },
    };
  }
}

/** Every line gets the label: no component can write one that looks like another's. They stay together. */
async function writeLines(platform: Platform, label: string, text: string): Promise<void> {
  await Promise.all(linesOf(text).map((line) => platform.writeLog(visibleText(`[${label}] ${line}`))));
}

/** A capability of any interface is one of the empty interface too. */
function someSession(capability: Capability<Interface>): Capability<typeof SomeSession> {
  return capability;
}
