/**
 * The disks of a machine, for its QEMU: an NBD server at a socket of the workplace. QEMU makes a
 * connection for each disk.
 */
import { type NbdDevice, type NbdExport, ServerConnection } from '@ginit/block/nbd';
import { RpcError } from '@ginit/core';
import type { HostListener } from '@ginit/core/host';

/** Serves until the listener is closed. */
export class DiskServer {
  readonly #listener: HostListener;
  readonly #devices: ReadonlyMap<string, NbdDevice>;
  readonly #connections = new Map<ServerConnection, Promise<void>>();
  readonly #fault: (text: string) => void;
  readonly #accepting: Promise<void>;

  /**
   * The devices by the names of their exports; there may be others later. `fault` is told if QEMU
   * does not keep to the protocol.
   */
  constructor(
    listener: HostListener,
    devices: ReadonlyMap<string, NbdDevice>,
    fault: (text: string) => void,
  ) {
    this.#listener = listener;
    this.#devices = devices;
    this.#fault = fault;
    this.#accepting = this.#acceptAll();
  }

  /** Takes no more requests; settles when those that came have ended. */
  async close(): Promise<void> {
    await this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections.keys()) void connection.close();
    await Promise.all(this.#connections.values());
  }

  get #exports(): readonly NbdExport[] {
    return Array.from(this.#devices, ([name, device]) => ({ name, description: '', device }));
  }

  async #acceptAll(): Promise<void> {
    for (;;) {
      try {
        const connection = await this.#listener.accept();
        // One more for each than QEMU makes, because it may look at a disk before it uses it.
        if (this.#connections.size >= 2 * this.#devices.size) await connection.close();
        else this.#serve(new ServerConnection(connection, { exports: () => this.#exports, tls: undefined }));
      } catch (error) {
        if (error instanceof RpcError) return;
        throw error;
      }
    }
  }

  #serve(connection: ServerConnection): void {
    const served = connection
      .run()
      .catch((error: unknown) => {
        if (!(error instanceof RpcError)) throw error;
        // When QEMU ends, its connections break.
        if (error.code === 'Protocol') this.#fault(`QEMU breaks the protocol of its disks: ${error.message}`);
      })
      .finally(() => this.#connections.delete(connection));
    this.#connections.set(connection, served);
  }
}
