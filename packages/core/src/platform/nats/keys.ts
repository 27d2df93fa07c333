/**
 * The keys of a node and of a link, over Node's own cryptography. A node signs with its nkey; two
 * nodes agree on keys for their link by ephemeral X25519 keys.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { decodePublicKey, decodeSeed, encodePublicKey, encodeSeed } from './nkey.ts';

/** What stands in front of the 32 bytes of a key in DER (RFC 8410). */
const ED25519_PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const ED25519_PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');
const X25519_PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const X25519_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

/** Bytes of a public or private key, and of a signature. */
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const privateKey = (prefix: Buffer, bytes: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'pkcs8' });

const publicKey = (prefix: Buffer, bytes: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'spki' });

const rawPublic = (key: KeyObject, prefix: Buffer): Uint8Array =>
  new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(prefix.length));

/** A node's own nkey. It never shows its seed. */
export class Identity {
  /** The public half, as text. */
  readonly publicKey: string;
  readonly #key: KeyObject;

  /** `seed` as text (`SU…`). Throws `NkeyError`. */
  constructor(seed: string) {
    this.#key = privateKey(ED25519_PRIVATE, decodeSeed(seed));
    this.publicKey = encodePublicKey(rawPublic(this.#key, ED25519_PUBLIC));
  }

  sign(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, bytes, this.#key));
  }
}

/** The text of a new seed, made of 32 bytes of chance. */
export const newSeed = (chance: Uint8Array): string => encodeSeed(chance);

/** Whether `signature` over `bytes` is by the owner of a public key. Throws `NkeyError`. */
export function isSignedBy(signer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, bytes, publicKey(ED25519_PUBLIC, decodePublicKey(signer)), signature);
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The ephemeral key of one handshake. */
export class EphemeralKey {
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  /** `chance`: 32 bytes. */
  constructor(chance: Uint8Array) {
    this.#key = privateKey(X25519_PRIVATE, chance);
    this.publicKey = rawPublic(this.#key, X25519_PUBLIC);
  }

  /**
   * The secret that both ends of a handshake share; `undefined` if the peer's key is one that gives
   * no secret.
   */
  agree(peer: Uint8Array): Uint8Array | undefined {
    try {
      return diffieHellman({ privateKey: this.#key, publicKey: publicKey(X25519_PUBLIC, peer) });
    } catch {
      return undefined;
    }
  }
}

/** `bytes` bytes made of a secret, for one purpose. */
export function derive(secret: Uint8Array, salt: Uint8Array, purpose: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, purpose, bytes));
}
