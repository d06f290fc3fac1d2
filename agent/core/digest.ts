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
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${canonicalJson(item ?? null)}`
    return `[${text}]`
  }
  const members = value as Readonly<Record<string, unknown>>
  for (const key of Object.keys(members).sort()) {
    const member = members[key]
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`
  }
  return `{${text}}`
}

export function digestOf(value: unknown): Digest {
  return sha256(canonicalJson(value))
}
