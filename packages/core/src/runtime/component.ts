/**
 * A component: a module whose default export is made by `component`. Its manifest says what it provides, needs and
 * touches, so that a config can be checked before anything starts; its main function gets `env`, and that is all
 * of the world it ever sees.
 */
import type { ElementSchema } from '../config/index.ts';
import type { Env } from './env.ts';
import type { SessionInterface } from '../interface/interface.ts';
import type { HostGrantKind } from '../session/host-grant.ts';

/** What a component says of itself. */
export interface Manifest {
  /** Services it may announce. */
  readonly provides?: readonly SessionInterface[];
  /** Services it cannot do without. */
  readonly requires?: readonly SessionInterface[];
  /** Services it uses if its config asks for what needs them. */
  readonly mayRequire?: readonly SessionInterface[];
  /**
   * Kinds of host grants it uses; a component with any is a driver. One that only hands grants on to its children asks for none.
   */
  readonly host?: readonly HostGrantKind[];
  /** Kinds that it uses if its config asks for what needs them, or if they are granted. */
  readonly mayHost?: readonly HostGrantKind[];
  /**
   * How its thread waits. By default it stops altogether while there is nothing to do, which is the fastest; a component
   * that uses asynchronous APIs of Node itself (timers, `import()` after its start, compilation of wasm) says `live`:
   * then its event loop goes on. Drivers are live anyway.
   */
  readonly loop?: 'live';
  /** Shape of its `<config>`; without one, any config is accepted. */
  readonly config?: ElementSchema;
}

/** What a component does: takes `env`, sets up its parts, and returns; from then on it reacts. */
export type Main = (env: Env) => void | Promise<void>;

/** Kinds of host grants that a component may use. */
export function hostKindsOf({ host = [], mayHost = [] }: Manifest): readonly HostGrantKind[] {
  return [...host, ...mayHost];
}

/** Marks components, also across two copies of this package. */
const MARK = Symbol.for('ginit.component');

/** A component, ready to be started. */
export class Component {
  readonly manifest: Manifest;
  readonly main: Main;
  readonly [MARK] = true;

  constructor(manifest: Manifest, main: Main) {
    this.manifest = manifest;
    this.main = main;
  }

  /** The component that a module exports, if it is one. */
  static from(exported: unknown): Component | undefined {
    return isComponent(exported) ? exported : undefined;
  }
}

function isComponent(value: unknown): value is Component {
  return typeof value === 'object' && value !== null && MARK in value;
}

/** Makes a component; the default export of its module. */
export function component(manifest: Manifest, main: Main): Component;
export function component(main: Main): Component;
export function component(first: Manifest | Main, second?: Main): Component {
  if (typeof first === 'function') return new Component({}, first);
  if (typeof second !== 'function') throw new TypeError('component(manifest, main) needs a main function');
  return new Component(first, second);
}
