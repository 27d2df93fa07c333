/**
 * A component: a module whose default export is made by `component`. Its manifest says what it
 * provides, needs and touches, so that a config can be checked before anything starts; its main
 * function gets `env`, and that is all of the world it ever sees.
 */
import type { ElementSchema } from '../config/index.ts';
import type { Env } from './env.ts';
import type { SessionInterface } from '../interface/interface.ts';
import type { HostGrantKind } from '../session/host-grant.ts';

/**
 * The facts that a component states about itself before it is started: which services it provides
 * and uses, whether it touches the host, and which config it takes. `ginit check` compares it with
 * the config.
 */
export interface Manifest {
  /** Services that it may announce by `env.provide`. */
  readonly provides?: readonly SessionInterface[];
  /** Services that it cannot do without: a config that routes one of them nowhere is refused. */
  readonly requires?: readonly SessionInterface[];
  /** Services that it uses only if its config asks for something that needs them. */
  readonly mayRequire?: readonly SessionInterface[];
  /**
   * Kinds of host grants that it uses. A component with any is a driver. A component that only
   * hands grants on to its children, as init does, lists none.
   */
  readonly host?: readonly HostGrantKind[];
  /**
   * Kinds of host grants that it uses only if its config asks for something that needs them, or if
   * they are granted.
   */
  readonly mayHost?: readonly HostGrantKind[];
  /**
   * How its thread waits. By default the thread stops altogether while there is nothing to do,
   * which is the fastest. A component that uses asynchronous APIs of Node itself (timers,
   * `import()` after its start, compilation of wasm) says `live`: then the event loop goes on.
   * Drivers are live without saying so.
   */
  readonly loop?: 'live';
  /** The shape of its `<config>`. Without one, any config is accepted. */
  readonly config?: ElementSchema;
}

/**
 * The main function of a component: it takes `env`, sets up the component's parts and returns (or
 * resolves). From then on the component reacts to calls and signals. If it throws, the component
 * crashes with that error.
 */
export type Main = (env: Env) => void | Promise<void>;

/** The kinds of host grants that a component may use. */
export function hostKindsOf({ host = [], mayHost = [] }: Manifest): readonly HostGrantKind[] {
  return [...host, ...mayHost];
}

/** Marks components, so that one made by another copy of this package is recognised. */
const MARK = Symbol.for('ginit.component');

/** A component that is ready to be started: its manifest and its main function. */
export class Component {
  readonly manifest: Manifest;
  readonly main: Main;
  readonly [MARK] = true;

  constructor(manifest: Manifest, main: Main) {
    this.manifest = manifest;
    this.main = main;
  }

  /** The component that a module exports, or `undefined` if `exported` is none. */
  static from(exported: unknown): Component | undefined {
    return isComponent(exported) ? exported : undefined;
  }
}

function isComponent(value: unknown): value is Component {
  return typeof value === 'object' && value !== null && MARK in value;
}

/**
 * Makes a component. Its result is the default export of the component's module. Throws `TypeError`
 * if there is no main function.
 */
export function component(manifest: Manifest, main: Main): Component;
export function component(main: Main): Component;
export function component(first: Manifest | Main, second?: Main): Component {
  if (typeof first === 'function') return new Component({}, first);
  if (typeof second !== 'function') throw new TypeError('component(manifest, main) needs a main function');
  return new Component(first, second);
}
