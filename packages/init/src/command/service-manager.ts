/**
 * Tells a service manager (systemd, by the protocol of sd_notify(3)) how the system stands: ready
 * when it is complete, reloading, stopping, a status line with the reason of what is not complete,
 * and a sign of life as long as root init answers.
 */
import { DatagramSocket, type Supervisor } from '@ginit/core/supervisor';
import { incompleteness, treeOf } from './control/index.ts';

/** How often the system is looked at. */
const LOOK_MS = 1000;
const STATUS_CHARACTERS = 400;

/** A place to which messages go. */
export interface Notifications {
  send(text: string): unknown;
}

/** The variables by which a service manager tells what it wants. */
export type ManagerVariables = Readonly<
  Partial<Record<'NOTIFY_SOCKET' | 'WATCHDOG_USEC' | 'WATCHDOG_PID', string | undefined>>
>;

/** The time between two signs of life: half of what the service manager waits; if it wants any. */
export function watchdogMs(
  { WATCHDOG_USEC, WATCHDOG_PID }: ManagerVariables,
  pid: number,
): number | undefined {
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid) return undefined;
  const us = Number(WATCHDOG_USEC);
  return Number.isSafeInteger(us) && us > 0 ? us / 2000 : undefined;
}

/**
 * The way to the service manager that has started this process; `undefined` if none wants to hear,
 * and the reason if none can.
 */
export function notificationsTo({ NOTIFY_SOCKET }: ManagerVariables): Notifications | string | undefined {
  if (NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === '') return undefined;
  if (!/^[/@]/.test(NOTIFY_SOCKET)) return 'NOTIFY_SOCKET is neither a path nor an abstract name';
  return DatagramSocket.to(NOTIFY_SOCKET);
}

/** Tells a service manager of one system. */
export class ServiceManager {
  readonly #to: Notifications;
  readonly #supervisor: Pick<Supervisor, 'overview'>;
  readonly #timer: NodeJS.Timeout;
  readonly #watchdog: boolean;
  #isReady = false;
  #phase: 'running' | 'reloading' | 'stopping' = 'running';
  #status = '';
  #looking = false;

  constructor(to: Notifications, supervisor: Pick<Supervisor, 'overview'>, aliveMs: number | undefined) {
    this.#to = to;
    this.#supervisor = supervisor;
    this.#watchdog = aliveMs !== undefined;
    this.#timer = setInterval(() => void this.look(), Math.min(LOOK_MS, aliveMs ?? LOOK_MS));
    this.#timer.unref();
    void this.look();
  }

  /**
   * A new version of the config is being looked at; or a version is in force, the new or the old
   * one.
   */
  reloading(is: boolean): void {
    if (this.#phase === 'stopping' || !this.#isReady) return;
    this.#phase = is ? 'reloading' : 'running';
    const nowUs = process.hrtime.bigint() / 1000n;
    this.#to.send(is ? `RELOADING=1\nMONOTONIC_USEC=${nowUs}\nSTATUS=reloading the config` : 'READY=1');
    this.#status = '';
    if (!is) void this.look();
  }

  stopping(): void {
    this.#phase = 'stopping';
    this.#to.send('STOPPING=1\nSTATUS=stopping in order');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /**
   * Looks at the system, and tells what is new of it. While it is being stopped there is a sign of
   * life, too: what takes too long then has bounds of its own.
   */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const overview = await this.#supervisor.overview();
      const [root] = overview.components;
      const turns = root !== undefined && root.children !== 'silent';
      if (this.#watchdog && (turns || this.#phase === 'stopping')) this.#to.send('WATCHDOG=1');
      if (this.#phase === 'running') {
        const problems = treeOf(overview).components.flatMap((node) => {
          const reason = incompleteness(node);
          return reason === undefined ? [] : [`[${node.label}] ${reason}`];
        });
        this.#tell(problems);
      }
    } finally {
      this.#looking = false;
    }
  }

  #tell([first, ...more]: readonly string[]): void {
    const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
    const text = first === undefined ? 'complete' : `${first}${others}`;
    const status = text.replaceAll(/\s+/g, ' ').slice(0, STATUS_CHARACTERS);
    const ready = first === undefined && !this.#isReady;
    if (ready) this.#isReady = true;
    if (!ready && status === this.#status) return;
    this.#status = status;
    this.#to.send(`${ready ? 'READY=1\n' : ''}STATUS=${status}`);
  }
}
