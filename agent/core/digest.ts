/** Digests and the one canonical form of JSON that they are taken over (sorted keys, no blanks; after RFC 8785). */
import { createHash } from 'node:crypto'

/** SHA-256 in lower-case hex. */
export type Digest = string

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

export function sha256(bytes: Uint8Array | string): Digest {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Keys sorted by code unit, undefined members left out; equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(item => canonicalJson(item ?? null)).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
    return `{${members.join(',')}}`
  }
  return JSON.stringify(value)
}

export function digestOf(value: unknown): Digest {
  return sha256(canonicalJson(value))
}
