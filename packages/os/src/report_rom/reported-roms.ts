/**
 * Reports as ROM modules, one for each label of a report. A module exists while a writer or a
 * reader has a session of it, whoever came first, and it has one writer at a time. When the
 * writer's session is closed the content goes, but readers are not woken for that: each keeps what
 * it has got until it asks again. (Reference: Genode's report_rom.)
 */
import {
  type Env,
  type Implementation,
  type Rom,
  RomModule,
  requiredPolicy,
  type SessionContext,
  SessionError,
} from '@ginit/core';
import { attribute, type ConfigOf, element, policyElements } from '@ginit/core/config';
import { type Report, serveReport } from '@ginit/core/report';

const POLICIES = policyElements({
  report: attribute.label('Label of the report that these sessions read', { required: true }),
});

/** The config of `report_rom`. */
export const REPORT_ROM_CONFIG = element('config', 'Which report each ROM session shows', {
  attributes: { verbose: attribute.boolean('Whether every report is logged', { fallback: false }) },
  children: [
    ...POLICIES,
    element('rom', 'The policies, as Genode had them in 14.02', { children: POLICIES, max: 1 }),
  ],
});

/** One report and its readers. */
interface ReportedRom {
  readonly rom: RomModule;
  written: boolean;
  readers: number;
}

/** The reports that are there, and the sessions of them. */
export class ReportedRoms {
  readonly #env: Pick<Env, 'config' | 'log'>;
  readonly #modules = new Map<string, ReportedRom>();

  constructor(env: Pick<Env, 'config' | 'log'>) {
    this.#env = env;
  }

  /** The number of modules. */
  get count(): number {
    return this.#modules.size;
  }

  /**
   * Answers a Report session request: the label of the session names the module. Throws
   * `SessionError`.
   */
  openReport(session: SessionContext<typeof Report>): Implementation<typeof Report> {
    const { text: name } = session.label;
    const module = this.#module(name);
    if (module.written) {
      throw new SessionError('DENIED', `report "${name}" is written by another session already`);
    }
    module.written = true;
    return serveReport(session, {
      submit: (content) => this.#submit(name, module, content),
      closed: () => {
        module.written = false;
        module.rom.withdraw();
        this.#forgetUnused(name, module);
      },
    });
  }

  /**
   * Answers a ROM session request: the policy for its label says which report it shows. Throws
   * `SessionError`.
   */
  openRom({ label }: SessionContext<typeof Rom>): Implementation<typeof Rom> {
    const { report: name } = requiredPolicy(this.#policies(), label);
    const module = this.#module(name);
    module.readers++;
    return module.rom.open(() => {
      module.readers--;
      this.#forgetUnused(name, module);
    });
  }

  #policies(): Pick<ConfigOf<typeof REPORT_ROM_CONFIG>, '$children'> {
    const config = this.#env.config.read(REPORT_ROM_CONFIG);
    return config.$children.rom
      ? { $children: { ...config.$children, ...config.$children.rom.$children } }
      : config;
  }

  #submit(name: string, { rom }: ReportedRom, content: Uint8Array): void {
    if (this.#env.config.read(REPORT_ROM_CONFIG).verbose) {
      const text = new TextDecoder().decode(content).trimEnd();
      void this.#env.log(`report "${name}"\n${text.replaceAll(/^/gm, '  ')}`);
    }
    rom.replace(content);
  }

  #module(name: string): ReportedRom {
    const known = this.#modules.get(name);
    if (known) return known;
    const module: ReportedRom = { rom: new RomModule(new Uint8Array(0)), written: false, readers: 0 };
    this.#modules.set(name, module);
    return module;
  }

  #forgetUnused(name: string, { written, readers }: ReportedRom): void {
    if (!written && readers === 0) this.#modules.delete(name);
  }
}
