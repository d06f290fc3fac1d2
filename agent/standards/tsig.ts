/**
 * Secret key transaction authentication for DNS: RFC 8945, with HMAC-SHA256 and HMAC-SHA512 (MD5 and SHA-1 are not for
 * new use, section 6). Signs what a client asks and verifies what it is answered. Pure; the time comes in. An answer that
 * is not verified proves nothing, whatever it says.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Instant } from '../core/clock.ts'
import type { Secret } from '../core/secret.ts'
import { type DnsMessage, parseMessage } from './dns-message.ts'
import { bareName } from './dns-resource.ts'
import { formatLabels } from './dns-text.ts'
import { nameOctets, numbers, readName } from './dns-wire.ts'

export const tsigAlgorithms = ['hmac-sha256', 'hmac-sha512'] as const
export type TsigAlgorithm = (typeof tsigAlgorithms)[number]

export type TsigKey = {
  readonly name: string
  readonly algorithm: TsigAlgorithm
  /** Base64, as `tsig-keygen` prints it. */
  readonly secret: Secret
}

const hashes = { 'hmac-sha256': 'sha256', 'hmac-sha512': 'sha512' } as const
const typeTsig = 250
const classAny = 255
const fudgeSeconds = 300 // RFC 8945 section 10: recommended
export const unsignedMessagesMax = 99 // RFC 8945 section 5.3.1

export type Signed = { readonly octets: Buffer; readonly mac: Buffer }

export type TsigError = 'BADSIG' | 'BADKEY' | 'BADTIME' | 'BADTRUNC'
const errorNames: Readonly<Record<number, TsigError>> = { 16: 'BADSIG', 17: 'BADKEY', 18: 'BADTIME', 22: 'BADTRUNC' }

/** What a TSIG says of a message. Only `verified` proves that the holder of the key sent it as an answer to ours. */
export type Verdict =
  | { readonly verdict: 'verified'; readonly mac: Buffer }
  | { readonly verdict: 'unsigned' }
  | {
      /** The server could not use our signature. Seldom signed itself: a reason to stop, not a proof. */
      readonly verdict: 'refused'
      readonly error: TsigError
      /** BADTIME: what the server's clock says, in seconds. */
      readonly serverSeconds: number | null
    }
  | { readonly verdict: 'bad'; readonly detail: string }

/** @returns undefined when the secret is no base64 or too short to be one. */
export function secretOctets(secret: Secret): Buffer | undefined {
  const text = secret.reveal().trim()
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const octets = Buffer.from(text, 'base64')
  return octets.length < 16 ? undefined : octets
}

const keyObjects = new WeakMap<Secret, KeyObject>()

/** Made once: making it costs more than the signature of a message. */
function keyObject(secret: Secret): KeyObject {
  const made = keyObjects.get(secret) ?? createSecretKey(secretOctets(secret) ?? Buffer.alloc(0))
  keyObjects.set(secret, made)
  return made
}

function hmac(key: TsigKey, parts: readonly Uint8Array[]): Buffer {
  const hash = createHmac(hashes[key.algorithm], keyObject(key.secret))
  for (const part of parts) hash.update(part)
  return hash.digest()
}

type Variables = { readonly seconds: number; readonly fudge: number; readonly error: number; readonly other: Buffer }

/** RFC 8945 section 4.3.3: the TSIG's fields beside the MAC, names in lower case and in full. */
function variableOctets(key: TsigKey, { seconds, fudge, error, other }: Variables): Buffer {
  const head = [nameOctets(bareName(key.name)), numbers([classAny, 2], [0, 4]), nameOctets(key.algorithm)]
  return Buffer.concat([...head, numbers([seconds, 6], [fudge, 2], [error, 2], [other.length, 2]), other])
}

function prefixed(mac: Buffer): Buffer[] {
  return [numbers([mac.length, 2]), mac]
}

/**
 * The message with its TSIG as the last record. @param prior the MAC of the request when an answer is signed (RFC 8945
 * section 5.3); undefined for a request.
 */
export function signMessage(message: Buffer, key: TsigKey, at: Instant, prior?: Buffer): Signed {
  const variables = { seconds: Math.floor(at / 1000), fudge: fudgeSeconds, error: 0, other: Buffer.alloc(0) }
  const mac = hmac(key, [...(prior === undefined ? [] : prefixed(prior)), message, variableOctets(key, variables)])
  return { octets: appendTsig(message, key, variables, mac), mac }
}

/** A later message of a stream: its MAC covers the one before, what was unsigned since, itself, and the time (section 5.3.1). */
export function signFollowing(
  message: Buffer,
  key: TsigKey,
  at: Instant,
  prior: Buffer,
  unsigned: readonly Buffer[] = [],
): Signed {
  const variables = { seconds: Math.floor(at / 1000), fudge: fudgeSeconds, error: 0, other: Buffer.alloc(0) }
  const mac = hmac(key, [...prefixed(prior), ...unsigned, message, numbers([variables.seconds, 6], [fudgeSeconds, 2])])
  return { octets: appendTsig(message, key, variables, mac), mac }
}

function appendTsig(message: Buffer, key: TsigKey, variables: Variables, mac: Buffer): Buffer {
  const rdata = Buffer.concat([
    nameOctets(key.algorithm),
    numbers([variables.seconds, 6], [variables.fudge, 2], [mac.length, 2]),
    mac,
    numbers([message.readUInt16BE(0), 2], [variables.error, 2], [variables.other.length, 2]),
    variables.other,
  ])
  const fields = numbers([typeTsig, 2], [classAny, 2], [0, 4], [rdata.length, 2])
  const octets = Buffer.concat([message, nameOctets(bareName(key.name)), fields, rdata])
  octets.writeUInt16BE(message.readUInt16BE(10) + 1, 10)
  return octets
}

type Tsig = Variables & {
  readonly keyName: string
  readonly algorithm: string
  readonly mac: Buffer
  /** The message as it was before the TSIG was put on it. */
  readonly covered: Buffer
}

/** The TSIG of a message, null when there is none, undefined when one stands there that is malformed or out of place. */
function readTsig(octets: Buffer, message: DnsMessage): Tsig | null | undefined {
  const { additionals } = message
  const others = [...message.answers, ...message.authorities, ...additionals.slice(0, -1)]
  if (others.some(({ type }) => type === typeTsig)) return undefined
  const last = additionals.at(-1)
  if (last?.type !== typeTsig) return null
  const { rdata } = last
  const algorithm = readName(rdata, 0)
  if (last.class !== classAny || last.ttl !== 0 || algorithm === undefined) return undefined
  const macAt = algorithm.end + 10
  if (macAt > rdata.length) return undefined
  const afterMac = macAt + rdata.readUInt16BE(macAt - 2)
  if (afterMac + 6 > rdata.length) return undefined
  const otherAt = afterMac + 6
  if (otherAt + rdata.readUInt16BE(otherAt - 2) !== rdata.length) return undefined
  const covered = Buffer.from(octets.subarray(0, last.at))
  covered.writeUInt16BE(rdata.readUInt16BE(afterMac), 0)
  covered.writeUInt16BE(additionals.length - 1, 10)
  return {
    keyName: last.owner,
    algorithm: formatLabels(algorithm.labels),
    seconds: rdata.readUIntBE(algorithm.end, 6),
    fudge: rdata.readUInt16BE(algorithm.end + 6),
    mac: rdata.subarray(macAt, afterMac),
    error: rdata.readUInt16BE(afterMac + 2),
    other: rdata.subarray(otherAt),
    covered,
  }
}

const bad = (detail: string): Verdict => ({ verdict: 'bad', detail })

/** @param parts what the MAC covers. */
function judgeTsig(key: TsigKey, tsig: Tsig, at: Instant, parts: readonly Uint8Array[]): Verdict {
  const error = errorNames[tsig.error]
  if (error !== undefined)
    return { verdict: 'refused', error, serverSeconds: tsig.other.length === 6 ? tsig.other.readUIntBE(0, 6) : null }
  if (tsig.error !== 0) return bad(`its TSIG carries the error ${tsig.error}`)
  const mac = hmac(key, parts)
  // The length is no secret, and timingSafeEqual throws on two lengths; a shortened MAC is not taken (section 5.2.2.1).
  if (tsig.mac.length !== mac.length || !timingSafeEqual(tsig.mac, mac)) return bad('its signature is not the key’s')
  if (tsig.keyName !== bareName(key.name)) return bad('it is signed with another key')
  if (tsig.algorithm !== key.algorithm) return bad('it is signed with another algorithm')
  const apartSeconds = Math.abs(Math.floor(at / 1000) - tsig.seconds)
  if (apartSeconds > Math.min(tsig.fudge, fudgeSeconds)) return bad(`its time is ${apartSeconds} s away from ours`)
  return { verdict: 'verified', mac }
}

/** What a client sent. Never for answers: those are bound to the request that they answer. */
export function verifyRequest(octets: Buffer, key: TsigKey, at: Instant): Verdict {
  return verify(octets, key, [], at)
}

/**
 * An answer of one message, or the first of a stream.
 * @param requestMac of the request that it answers.
 * @param message of these octets, where they were parsed already.
 */
export function verifyAnswer(
  octets: Buffer,
  key: TsigKey,
  requestMac: Buffer,
  at: Instant,
  message = parseMessage(octets),
): Verdict {
  return verify(octets, key, prefixed(requestMac), at, message)
}

function verify(
  octets: Buffer,
  key: TsigKey,
  prefix: readonly Buffer[],
  at: Instant,
  message = parseMessage(octets),
): Verdict {
  const tsig = message === undefined ? undefined : readTsig(octets, message)
  if (tsig === undefined) return bad('it is malformed')
  if (tsig === null) return { verdict: 'unsigned' }
  return judgeTsig(key, tsig, at, [...prefix, tsig.covered, variableOctets(key, tsig)])
}

/** A stream of messages that answers one request: AXFR. The caller knows which message is the last. */
export type StreamVerifier = {
  /** `pending`: unsigned, which is fine when a signed one comes after it. */
  take(octets: Buffer, at: Instant, message?: DnsMessage): Verdict | { readonly verdict: 'pending' }
}

export function createStreamVerifier(key: TsigKey, requestMac: Buffer): StreamVerifier {
  let prior: Buffer | undefined
  let unsigned: Buffer[] = []
  return {
    take(octets, at, message = parseMessage(octets)) {
      if (prior === undefined) {
        const verdict = verifyAnswer(octets, key, requestMac, at, message)
        if (verdict.verdict === 'verified') prior = verdict.mac
        return verdict
      }
      const tsig = message === undefined ? undefined : readTsig(octets, message)
      if (tsig === undefined) return bad('it is malformed')
      if (tsig === null) {
        unsigned.push(octets)
        return unsigned.length > unsignedMessagesMax
          ? bad('too many messages without a signature')
          : { verdict: 'pending' }
      }
      const time = numbers([tsig.seconds, 6], [tsig.fudge, 2])
      const verdict = judgeTsig(key, tsig, at, [...prefixed(prior), ...unsigned, tsig.covered, time])
      if (verdict.verdict === 'verified') {
        prior = verdict.mac
        unsigned = []
      }
      return verdict
    },
  }
}
