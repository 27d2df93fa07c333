/** Carries out the commands of one config after the other. */
import { type Env, Log, type Session } from '@ginit/core';
import { type Command, DUMMY_CONFIG } from './commands.ts';
import { Consumer } from './consumer.ts';
import { openLoggedSession } from './log-service.ts';

const never = new Promise<never>(() => {});

/** The component's state. */
export class Dummy {
  readonly #env: Env;
  readonly #consumer: Consumer;
  /** Whether the commands of a config are being carried out, and whether there is a newer one. */
  #busy = false;
  #outdated = false;
  #connections: Session<typeof Log>[] = [];
  #configs = 0;
  #version = '';
  #providesLog = false;
  #handlesYield = false;
  /** How long the closing of LOG sessions takes that are opened from now on. */
  #delayCloseMs = 0;

  constructor(env: Env) {
    this.#env = env;
    this.#consumer = new Consumer(env);
  }

  /**
   * Carries out the newest config, if it is the first or its version has changed. While one is
   * being carried out, the newest of those that come meanwhile waits.
   */
  async follow(): Promise<void> {
    this.#outdated = true;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#outdated) {
        this.#outdated = false;
        await this.#carryOut();
      }
    } finally {
      this.#busy = false;
    }
  }

  async #carryOut(): Promise<void> {
    const { version, $content } = this.#env.config.read(DUMMY_CONFIG);
    if (this.#configs > 0 && version === this.#version) return;
    this.#configs++;
    this.#version = version;
    if (version !== '') void this.#env.log(`config ${this.#configs}: ${version}`);
    for (const command of $content) await this.#perform(command);
  }

  async #perform(command: Command): Promise<void> {
    switch (command.$type) {
      case 'log':
        return void this.#env.log(command.string);
      case 'exit':
        this.#env.exit(command.code);
        return never;
      case 'create_log_connections':
        return this.#createConnections(command.count, command.ram_upgrade);
      case 'destroy_log_connections':
        return this.#destroyConnections();
      case 'log_service':
        return this.#provideLog(command.delay_close_ms);
      case 'consume_ram':
        return this.#consumer.consumeRam(command.amount);
      case 'consume_caps':
        return this.#consumer.consumeCaps(command.amount);
      case 'handle_yield_requests':
        return this.#handleYieldRequests();
      case 'sleep':
        return this.#env.timer.sleep(command.ms);
      case 'sleep_forever':
        return never;
    }
  }

  async #createConnections(count: number, ram: number): Promise<void> {
    await this.#destroyConnections();
    void this.#env.log(`going to create ${count} LOG connections`);
    for (let index = 0; index < count; index++) {
      const connection = await this.#env.connect(Log, { label: `${index}` });
      this.#connections.push(connection);
      if (ram > 0) await this.#env.upgrade(connection, { ram, caps: 0 });
    }
    void this.#env.log('created all LOG connections');
  }

  async #destroyConnections(): Promise<void> {
    const connections = this.#connections;
    if (connections.length === 0) return;
    this.#connections = [];
    for (const connection of connections) await this.#env.close(connection);
    void this.#env.log('destroyed all LOG connections');
  }

  #provideLog(delayCloseMs: number): void {
    this.#delayCloseMs = delayCloseMs;
    if (this.#providesLog) return;
    this.#providesLog = true;
    this.#env.provide(Log, (session) => openLoggedSession(this.#env, session, this.#delayCloseMs));
  }

  #handleYieldRequests(): void {
    if (this.#handlesYield) return;
    this.#handlesYield = true;
    this.#env.onYield(async () => {
      void this.#env.log('got yield request');
      await this.#consumer.release();
    });
  }
}
