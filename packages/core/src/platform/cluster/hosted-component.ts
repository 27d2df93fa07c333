/** A component that a node runs for a head. */
import type { Carrier } from '../../channel/carrier.ts';
import type { PlatformComponent } from '../../supervisor/platform.ts';
import type { CodeInUse } from './code-store.ts';

/** One component of a node. */
export class HostedComponent {
  readonly id: number;
  readonly label: string;
  /** The quota that it was started with, in bytes. */
  readonly ramBytes: number;
  /** What is to be done when it is started: channels to others. */
  readonly whenStarted: (() => void)[] = [];
  code: CodeInUse | undefined;
  killed = false;
  #running: PlatformComponent | undefined;
  #toHead: Carrier | undefined;

  constructor(id: number, label: string, ramBytes: number) {
    this.id = id;
    this.label = label;
    this.ramBytes = ramBytes;
  }

  get running(): PlatformComponent | undefined {
    return this.#running;
  }

  /** It runs: its carrier goes on over the one to the head. */
  started(running: PlatformComponent, toHead: Carrier): void {
    this.#running = running;
    this.#toHead = toHead;
    toHead.closed(() => void running.kill());
    running.supervisor.receive((frame) => void toHead.send(frame, []));
    toHead.receive((frame) => void running.supervisor.send(frame, []));
    for (const act of this.whenStarted.splice(0)) act();
  }

  /** It has ended, and everything that it has said before is on its way. */
  ended(): void {
    this.whenStarted.length = 0;
    this.#toHead?.close();
    this.code?.release();
    this.code = undefined;
  }

  async kill(): Promise<void> {
    this.killed = true;
    await this.#running?.kill();
  }
}
