/**
 * The register: everything that happened, append-only, durable before it is acknowledged, one order.
 * An entry's public part is hashed into the tree; personal data stand beside it, bound by a salted commitment, so that
 * they can be erased later and every proof stays valid (K35). RFC 6962 section 2 (tree), RFC 8032 (Ed25519).
 */
import type { Json } from '../core/digest.ts'

/** Who did it. `local:<user>` is a person without a token on the host itself; `daemon` acts by schedule. */
export type Actor = { readonly person: string; readonly role: string }

export type NewEntry = {
  /** `incident.declared`, `apply.intended` … */
  readonly kind: string
  readonly actor: Actor
  /** RFC 3339, UTC. Order is by index, never by time. */
  readonly at: string
  /** What it is about, without personal data: an incident, a domain, an institution. */
  readonly subject: string
  /** The requirement or rule that it follows: `S37`. */
  readonly rule?: string
  /** Public facts. No personal data: no addresses, no names of holders, no free text by people. */
  readonly facts: { readonly [key: string]: Json }
  /** Personal data and free text. Hashed with a random salt; never part of the tree. */
  readonly personal?: { readonly [key: string]: Json }
}

/** An entry as it stands. `personal` is null where there is none, and where it was erased (`commitment` tells which). */
export type Stored = {
  readonly index: number
  readonly kind: string
  readonly actor: Actor
  readonly at: string
  readonly subject: string
  readonly rule?: string
  readonly facts: { readonly [key: string]: Json }
  /** Hex SHA-256 over salt and canonical JSON of the personal part; null when the entry never had one. */
  readonly commitment: string | null
  readonly personal: { readonly [key: string]: Json } | null
}

/** A signed statement: the first `size` entries have this root. */
export type Checkpoint = {
  readonly size: number
  readonly root: string
  readonly at: string
  readonly signature: string
}

export interface Register extends AsyncDisposable {
  /** Number of entries. */
  readonly size: number
  /** Resolves after the entries are on disk (fsync). All of them or none. */
  append(entries: readonly NewEntry[]): Promise<readonly Stored[]>
  read(from: number): AsyncIterable<Stored>
  /** The newest signed checkpoint; covers every acknowledged entry. */
  checkpoint(): Promise<Checkpoint>
}
