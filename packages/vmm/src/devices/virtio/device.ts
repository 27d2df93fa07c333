/** A virtio device as its transport sees it. */

/** The bits of the features that every device has to do with. */
export const FEATURE = {
  indirectDescriptors: 28,
  version1: 32,
} as const;

/** What a device has of its own; the transport does the rest. */
export interface VirtioDevice {
  /** The number of its type: 2 is a block device. */
  readonly type: number;
  /** Class, subclass and interface of PCI. */
  readonly pciClass: readonly [number, number, number];
  /** The bits of the features that it offers. */
  readonly features: readonly number[];
  /** Its configuration, as the driver reads it. */
  readonly config: Uint8Array;
  /** The driver is ready, and has taken the features for which `accepted` is true. */
  driverReady(accepted: (bit: number) => boolean): void;
  /** The driver has put something into the queue. Throws `GuestFault`. */
  notified(): void;
  /**
   * The machine goes on from a state: what was under way in the queue is done anew. Throws
   * `GuestFault`.
   */
  resumed(): void;
  /** Whatever is under way is given up: nothing of it may reach guest memory or the disk. */
  reset(): void;
}
