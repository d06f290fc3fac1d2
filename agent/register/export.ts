/**
 * The register as one file of JSON lines that anyone can verify with nothing but the file, better with the public key
 * or a witnessed checkpoint from elsewhere (R15, R16). Every line is canonical JSON and the last one has the digest of
 * all bytes before it, so each byte counts. Both directions stream; a line has a stated length at most.
 *
 * header · checkpoint 0 or first · entries, each checkpoint after the last entry that it covers · closing line
 */
import { createHash, type Hash as RunningHash } from 'node:crypto'
import { canonicalJson, type Json } from '../core/digest.ts'
import { type PublicKey, parsePublicKey, type SignedCheckpoint } from './checkpoint.ts'
import { decodeText, type PrivatePart, parseCanonical, personalBytesMax, publicBytesMax, saltBytes } from './entry.ts'
import {
  addFinding,
  beginVerification,
  endVerification,
  type RawEntry,
  type Verdict,
  type Verification,
  verifyCheckpoint,
  verifyEntry,
  type Witness,
} from './verify.ts'

export const exportFormat = 'mailwarden-register/1'
/** An entry of the largest size, its personal part, and the frame around them. */
export const lineBytesMax = publicBytesMax + personalBytesMax + 1_024

const saltHex = new RegExp(`^[0-9a-f]{${2 * saltBytes}}$`)

export type ExportHeader = {
  readonly origin: string
  readonly publicKey: string
  readonly size: number
  readonly personal: 'included' | 'left-out'
}

export type ExportVerdict = Verdict & {
  /** With `export`, the file only agrees with itself: whoever wrote it could have signed anything. */
  readonly keyFrom: 'given' | 'export'
}

export type ExportCheck = {
  /** PEM, from elsewhere than the export. */
  readonly publicKey?: string
  /** Notes from elsewhere. */
  readonly witnesses?: readonly Witness[]
}

// --- writing

export function formatHeader(header: ExportHeader): string {
  return `${canonicalJson({ format: exportFormat, ...header })}\n`
}

/** The bytes go in as they are: they are canonical JSON already, and only their own bytes have the leaf hash. */
export function formatEntryLine(bytes: Uint8Array, leaf: Uint8Array, personal: PrivatePart | null): string {
  const beside =
    personal === null
      ? ''
      : `,"personal":{"salt":"${Buffer.from(personal.salt).toString('hex')}","value":${decodeText(personal.bytes)}}`
  return `{"entry":${decodeText(bytes)},"leaf":"${Buffer.from(leaf).toString('hex')}"${beside}}\n`
}

export function formatCheckpointLine(checkpoint: SignedCheckpoint): string {
  return `${canonicalJson({ checkpoint })}\n`
}

export function formatClosing(digest: string, lines: number): string {
  return `${canonicalJson({ digest, lines })}\n`
}

// --- reading

type Line = { readonly bytes: Uint8Array; readonly complete: boolean }

/** Splits at newlines; a line beyond the limit ends the reading, as the rest would have to be held in memory. */
async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line | 'too-long'> {
  let parts: Uint8Array[] = []
  let held = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield { bytes: Buffer.concat([...parts, chunk.subarray(start, end)]), complete: true }
      parts = []
      held = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    held += chunk.length - start
    if (held > lineBytesMax) {
      yield 'too-long'
      return
    }
  }
  if (held > 0) yield { bytes: Buffer.concat(parts), complete: false }
}

type Reading = {
  readonly check: ExportCheck
  readonly digest: RunningHash
  line: number
  header: ExportHeader | null
  keyFrom: ExportVerdict['keyFrom']
  walk: Verification | null
  closed: boolean
}

/** Never throws for what it reads, whatever it is; the stream itself may. */
export async function verifyExportStream(
  chunks: AsyncIterable<Uint8Array>,
  check: ExportCheck = {},
): Promise<ExportVerdict> {
  const reading: Reading = {
    check,
    digest: createHash('sha256'),
    line: 0,
    header: null,
    keyFrom: 'export',
    walk: null,
    closed: false,
  }
  for await (const line of readLines(chunks)) {
    reading.line += 1
    if (line === 'too-long') {
      if (reading.walk === null) return unreadable('line.long')
      addFinding(reading.walk, 'line.long', { line: reading.line }, { max: String(lineBytesMax) })
      break
    }
    if (!acceptLine(reading, line)) return unreadable('line.form')
  }
  const { walk, header } = reading
  if (walk === null || header === null) return unreadable('export.cut')
  if (!reading.closed) addFinding(walk, 'export.cut', { line: reading.line + 1 })
  if (header.size !== walk.size) {
    const values = { header: String(header.size), found: String(walk.size) }
    addFinding(walk, 'export.size', { line: 1 }, values)
  }
  if (walk.head !== null && !walk.signed) addFinding(walk, 'export.header', { line: 1 }, {}, -1)
  return { ...endVerification(walk), keyFrom: reading.keyFrom }
}

/** Without a header nothing says what the file claims to be. */
function unreadable(code: 'line.form' | 'line.long' | 'export.cut'): ExportVerdict {
  const values = code === 'line.long' ? { max: String(lineBytesMax) } : {}
  const findings = [{ code, place: { line: 1 }, values }]
  return { ok: false, origin: '', size: 0, root: '', head: null, findings, found: 1, keyFrom: 'export' }
}

/** @returns false when the header is no header. */
function acceptLine(reading: Reading, { bytes, complete }: Line): boolean {
  const text = complete ? decodeText(bytes) : undefined
  const value = text === undefined ? undefined : parseCanonical(text)
  const { walk, line } = reading
  if (walk === null) return acceptHeader(reading, value, bytes)
  if (reading.closed) addFinding(walk, 'line.form', { line })
  else if (has(value, 'digest')) acceptClosing(reading, walk, value)
  else if (has(value, 'checkpoint')) acceptCheckpoint(walk, value, line)
  else acceptEntry(walk, value, bytes, line)
  if (!reading.closed) reading.digest.update(bytes).update('\n')
  return true
}

type Members = { readonly [key: string]: Json }

const isMembers = (value: Json | undefined): value is Members =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

function has(value: Json | undefined, key: string): value is Members {
  return isMembers(value) && Object.hasOwn(value, key)
}

function hasOnly(value: Members, ...keys: readonly string[]): boolean {
  return Object.keys(value).every(key => keys.includes(key))
}

function acceptHeader(reading: Reading, value: Json | undefined, bytes: Uint8Array): boolean {
  const header = toHeader(value)
  const own = header === undefined ? undefined : parsePublicKey(header.publicKey)
  if (header === undefined || own === undefined || own.pem !== header.publicKey) return false
  const given = reading.check.publicKey === undefined ? undefined : parsePublicKey(reading.check.publicKey)
  const publicKey: PublicKey = given ?? own
  reading.header = header
  reading.keyFrom = given === undefined ? 'export' : 'given'
  reading.walk = beginVerification({
    origin: header.origin,
    publicKey,
    witnesses: reading.check.witnesses ?? [],
    personal: header.personal === 'included' ? 'stored' : 'left-out',
  })
  // A key that was given and does not read must not fall back to the one in the file without a word.
  if (publicKey.pem !== own.pem || (reading.check.publicKey !== undefined && given === undefined))
    addFinding(reading.walk, 'export.key', { line: 1 })
  reading.digest.update(bytes).update('\n')
  return true
}

function toHeader(value: Json | undefined): ExportHeader | undefined {
  if (!isMembers(value) || !hasOnly(value, 'format', 'origin', 'publicKey', 'size', 'personal')) return undefined
  const { format, origin, publicKey, size, personal } = value
  if (format !== exportFormat || typeof origin !== 'string' || typeof publicKey !== 'string') return undefined
  if (!/^mailwarden\/[0-9a-f]{16}$/.test(origin) || !Number.isSafeInteger(size)) return undefined
  if (personal !== 'included' && personal !== 'left-out') return undefined
  return { origin, publicKey, size: size as number, personal }
}

function acceptClosing(reading: Reading, walk: Verification, value: Members): void {
  const { line } = reading
  reading.closed = true
  if (!hasOnly(value, 'digest', 'lines') || value.lines !== line - 1) addFinding(walk, 'line.form', { line })
  if (value.digest !== reading.digest.digest('hex')) addFinding(walk, 'export.digest', { line })
}

function acceptCheckpoint(walk: Verification, value: Members, line: number): void {
  const checkpoint = toCheckpoint(value)
  if (checkpoint === undefined) addFinding(walk, 'line.form', { line })
  else if (checkpoint.size === walk.size) verifyCheckpoint(walk, checkpoint, line)
  else {
    verifyCheckpoint(walk, checkpoint, line)
    addFinding(walk, 'line.form', { line, checkpoint: checkpoint.size })
  }
}

function toCheckpoint(line: Members): SignedCheckpoint | undefined {
  const value = line.checkpoint
  if (!hasOnly(line, 'checkpoint') || !isMembers(value)) return undefined
  if (!hasOnly(value, 'size', 'root', 'at', 'previous', 'signature')) return undefined
  const { size, root, at, previous, signature } = value
  if (typeof size !== 'number' || (previous !== null && typeof previous !== 'number')) return undefined
  if (typeof root !== 'string' || typeof at !== 'string' || typeof signature !== 'string') return undefined
  return { size, root, at, previous: previous ?? null, signature }
}

function acceptEntry(walk: Verification, value: Json | undefined, bytes: Uint8Array, line: number): void {
  const raw = has(value, 'entry') ? toRaw(value, walk.size) : undefined
  if (raw !== undefined) {
    verifyEntry(walk, raw, line)
    return
  }
  // A spoilt line still begins like one of the two kinds nearly always; the count goes on behind it by the next index.
  const isCheckpoint = Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '{"ch'
  addFinding(walk, 'line.form', isCheckpoint ? { line } : { line, entry: walk.size })
}

function toRaw(value: Members, expected: number): RawEntry | undefined {
  const { entry, leaf, personal } = value
  if (!hasOnly(value, 'entry', 'leaf', 'personal') || !isMembers(entry)) return undefined
  if (typeof leaf !== 'string' || !/^[0-9a-f]{64}$/.test(leaf)) return undefined
  const part = personal === undefined ? null : toPrivate(personal)
  const bytes = toCanonicalBytes(entry)
  if (part === undefined || bytes === undefined) return undefined
  const { index } = entry
  return {
    index: typeof index === 'number' && Number.isSafeInteger(index) ? index : expected,
    bytes,
    leaf: Buffer.from(leaf, 'hex'),
    personal: part,
  }
}

/** Undefined for what is nested deeper than the stack: no register wrote that. */
function toCanonicalBytes(value: Json): Uint8Array | undefined {
  try {
    return Buffer.from(canonicalJson(value))
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function toPrivate(personal: Json): PrivatePart | undefined {
  if (!isMembers(personal) || !hasOnly(personal, 'salt', 'value') || !isMembers(personal.value)) return undefined
  const { salt, value } = personal
  if (typeof salt !== 'string' || !saltHex.test(salt)) return undefined
  const bytes = toCanonicalBytes(value)
  return bytes === undefined ? undefined : { salt: Buffer.from(salt, 'hex'), bytes }
}
