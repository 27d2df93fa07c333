import type { Position } from '@ginit/core/config';

/*
 * The route model of init, as plain data. A `<route>` (or the `<default-route>`) is a list of
 * rules; a rule selects session requests by service and label and names the targets that may serve
 * them.
 */

/** Conditions on the label of a request; see `matchesLabel` for what each is compared with. */
export interface LabelFilter {
  readonly unscopedLabel: string | undefined;
  readonly labelLast: string | undefined;
  readonly label: string | undefined;
  readonly labelPrefix: string | undefined;
  readonly labelSuffix: string | undefined;
}

/** How a target changes the label that the server sees; see `rewriteLabel`. */
export interface LabelRewrite {
  readonly label: string | undefined;
  readonly identity: string | undefined;
  readonly resource: string | undefined;
  readonly prependResource: string | undefined;
}

/** The targets that a rule can name. */
export type RouteTarget =
  | { readonly kind: 'parent'; readonly rewrite: LabelRewrite; readonly position: Position }
  /** The component that runs the children, by a service of its own. */
  | { readonly kind: 'local'; readonly rewrite: LabelRewrite; readonly position: Position }
  | {
      readonly kind: 'child';
      readonly name: string;
      readonly namePosition: Position;
      readonly rewrite: LabelRewrite;
      readonly position: Position;
    }
  | { readonly kind: 'any-child'; readonly position: Position };

/** `<service name=…>` or, without a service, `<any-service>`. */
export interface RouteRule {
  readonly service: string | undefined;
  /** `undefined` if the rule takes any label. */
  readonly filter: LabelFilter | undefined;
  readonly targets: readonly RouteTarget[];
  readonly position: Position;
}
