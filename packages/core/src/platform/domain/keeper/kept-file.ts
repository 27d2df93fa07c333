/**
 * A memory file that the keeper of a process knows: which components may pass it on, and where it
 * is mapped.
 */
import { closeDescriptor } from 'sharedarraybuffer-polyfill';
import { isRevoked, type MemoryState, newMemoryState } from '../../../memory/shared-memory.ts';
import type { MemoryLabel } from './memory-label.ts';

/**
 * Where a file is mapped: soon by its thread (`expected`), in this buffer, or nowhere that the
 * keeper must know of.
 */
export type Mapping = 'expected' | SharedArrayBuffer | undefined;

/** The facts of a kept file that never change. */
export interface KeptFileFacts {
  readonly number: number;
  readonly label: MemoryLabel;
  readonly descriptor: number;
  readonly sizeBytes: number;
  /** The component that has made or received it. */
  readonly component: number;
  /**
   * Whether it is a dataspace that this component has made. When the component takes it back,
   * everybody who has it loses it.
   */
  readonly owned: boolean;
  /**
   * Whether the keeper must know where it is mapped. The mapping of a packet stream's memory is
   * known only to its thread.
   */
  readonly tracked: boolean;
}

/** A memory file, as long as a component may pass it on or has it mapped. */
export class KeptFile {
  readonly facts: KeptFileFacts;
  /** How often each component holds it in order to pass it on. */
  readonly holders: Map<number, number>;
  /** Other processes that have got this file from this process, which has made it. */
  readonly travelled = new Set<number>();
  readonly state: MemoryState = newMemoryState();
  mapping: Mapping;
  /** Whether other components of this process have the mapping too. */
  lent = false;
  /** Whether the file is sealed, so that it is settled who may write to it. */
  sealed: boolean;
  #descriptor: number | undefined;

  constructor(facts: KeptFileFacts, sealed: boolean) {
    this.facts = facts;
    this.sealed = sealed;
    this.holders = new Map([[facts.component, 1]]);
    this.mapping = facts.tracked ? 'expected' : undefined;
    this.#descriptor = facts.descriptor;
  }

  /** `undefined` once it cannot be passed on any more. */
  get descriptor(): number | undefined {
    return this.#descriptor;
  }

  get revoked(): boolean {
    return isRevoked(this.state);
  }

  closeDescriptor(): void {
    this.holders.clear();
    if (this.#descriptor !== undefined) closeDescriptor(this.#descriptor);
    this.#descriptor = undefined;
  }
}
