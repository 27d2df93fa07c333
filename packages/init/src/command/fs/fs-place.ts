/** Places: a path of the host, or one in an image, as `IMAGE[:PART]:/path`. */

/** A place in an image. */
export interface ImagePlace {
  /** As it was given, for messages. */
  readonly text: string;
  /** The image, with `:PART` if it has one. */
  readonly image: string;
  /** From the root. */
  readonly path: string;
}

/** The place in an image that a text names; undefined if it names a path of the host. */
export function placeInImage(text: string): ImagePlace | undefined {
  const at = text.indexOf(':/');
  if (at <= 0) return undefined;
  return { text, image: text.slice(0, at), path: text.slice(at + 1) };
}

/** The place that a text names where it must be in an image: without a path its root. */
export function placeOrRoot(text: string): ImagePlace {
  return placeInImage(text) ?? { text, image: text, path: '/' };
}

/** The same place with a name behind it, for messages. */
export function below(place: string, name: string): string {
  return place.endsWith('/') ? `${place}${name}` : `${place}/${name}`;
}
