/**
 * DKIM keys (RFC 6376, RFC 8463): the TXT record of a public key, tag lists, and a fresh key pair.
 * Pure but for `generateDkimKey`, which asks the system for random numbers. It never keeps a private key.
 */
import { createHash, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'

export const keyBits = 2048 // RFC 8301 section 3.2: signers should use at least 2048 bits

/** The record at `<selector>._domainkey.<domain>`. An empty `publicKey` revokes the key. */
export type DkimRecord = {
  /** `rsa` or `ed25519`; a verifier passes over others. */
  readonly keyType: string
  /** Base64 without blanks: SubjectPublicKeyInfo for rsa. */
  readonly publicKey: string
  /** `y` testing, `s` no subdomains. */
  readonly flags: readonly string[]
}

/**
 * A tag list (RFC 6376 section 3.2), also the form of DMARC, MTA-STS and TLS-RPT records.
 * @returns tags in their order; undefined when malformed or a tag stands twice.
 */
export function parseTagList(text: string): ReadonlyMap<string, string> | undefined {
  const tags = new Map<string, string>()
  const parts = text.split(';')
  if (parts.at(-1)?.trim() === '') parts.pop()
  for (const part of parts) {
    const tag = /^\s*([a-z][a-z0-9_]*)\s*=\s*([\x21-\x7e](?:[\x20-\x7e\t\r\n]*[\x21-\x7e])?)?\s*$/i.exec(part)
    const name = tag?.[1]
    if (name === undefined || tags.has(name)) return undefined
    tags.set(name, tag?.[2] ?? '')
  }
  return tags.size === 0 ? undefined : tags
}

export function formatTagList(tags: readonly (readonly [string, string])[]): string {
  return tags.map(([name, value]) => `${name}=${value}`).join('; ')
}

export function formatDkim(record: DkimRecord): string {
  const flags = record.flags.length === 0 ? [] : [['t', record.flags.join(':')] as const]
  return formatTagList([['v', 'DKIM1'], ['k', record.keyType], ...flags, ['p', record.publicKey]])
}

/** @returns undefined when the text is no DKIM key record. */
export function parseDkim(text: string): DkimRecord | undefined {
  const tags = parseTagList(text)
  const publicKey = tags?.get('p')?.replace(/\s+/g, '')
  if (tags === undefined || publicKey === undefined) return undefined
  // RFC 6376 section 3.6.1: v is optional, but then first and exactly this.
  if (tags.has('v') && ([...tags.keys()][0] !== 'v' || tags.get('v') !== 'DKIM1')) return undefined
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(publicKey)) return undefined
  const flags = tags.get('t')?.split(':') ?? []
  return { keyType: tags.get('k') ?? 'rsa', publicKey, flags: flags.map(flag => flag.trim()).filter(Boolean) }
}

export type DkimKeyPair = {
  /** Follows from the key, so that two keys never share a name: `mw1f2e3d4c`. */
  readonly selector: string
  /** Base64 of the SubjectPublicKeyInfo. */
  readonly publicKey: string
  /** PKCS #8. */
  readonly privateKeyPem: string
}

export function selectorOf(publicKey: string): string {
  return `mw${createHash('sha256').update(publicKey).digest('hex').slice(0, 8)}`
}

/** An RSA pair, made on a thread of its own: the event loop goes on. */
export async function generateDkimKey(): Promise<DkimKeyPair> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: keyBits,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const base64 = publicKey.toString('base64')
  return { selector: selectorOf(base64), publicKey: base64, privateKeyPem: privateKey }
}
