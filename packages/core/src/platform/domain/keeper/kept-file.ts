/** A memory file that the keeper of a process knows: who may pass it on, and where it is mapped. */
import { closeDescriptor } from 'sharedarraybuffer-polyfill';
import { isRevoked, type MemoryState, newMemoryState } from '../../../memory/shared-memory.ts';
import type { MemoryLabel } from './memory-label.ts';

/** Where a file is mapped: not yet, in this buffer, or nowhere that the keeper has to know. */
export type Mapping = 'expected' | SharedArrayBuffer | undefined;

/** What a kept file starts with. */
export interface KeptFileFacts {
  readonly number: number;
  readonly label: MemoryLabel;
  readonly descriptor: number;
  readonly sizeBytes: number;
  /** The component that has made or received it. */
  readonly component: number;
  /** Whether it is a dataspace that this component has made: whoever gets it loses it when its owner says so. */
  readonly owned: boolean;
  /** Whether its mapping is to be known. That of a packet stream's memory is its thread's own. */
  readonly tracked: boolean;
}

/** A memory file, as long as somebody may pass it on or has it mapped. */
export class KeptFile {
  readonly facts: KeptFileFacts;
  /** How often each component holds it, to pass it on. */
  readonly holders: Map<number, number>;
  /** Processes that have it of ours. */
  readonly travelled = new Set<number>();
  readonly state: MemoryState = newMemoryState();
  mapping: Mapping;
  /** Whether other components of this process have the mapping too. */
  lent = false;
  /** Whether who may write to it is settled. */
  sealed: boolean;
  #descriptor: number | undefined;

  constructor(facts: KeptFileFacts, sealed: boolean) {
    this.facts = facts;
    this.sealed = sealed;
    this.holders = new Map([[facts.component, 1]]);
    this.mapping = facts.tracked ? 'expected' : undefined;
    this.#descriptor = facts.descriptor;
  }

  /** Undefined when it cannot be passed on any more. */
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
