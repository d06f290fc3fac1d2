/**
 * A bundle of evidence (P9): what its manifest says, and whether a bundle in hand is the one that the register names.
 * Anybody can ask that, offline, with nothing but the archive and, for trust in the key, the public key. Pure.
 */
import type { Digest, Json } from '../core/digest.ts'
import { canonicalJson, sha256 } from '../core/digest.ts'
import { verifyProof } from '../register/proof.ts'
import { type Member, readTar } from './tar.ts'

export const bundleFormat = 'mailwarden-evidence/1'
/** Of what is collected and how: a change of either is another number. */
export const collectorVersion = 1
export const manifestName = 'MANIFEST.json'
/** The proof that the register names this very manifest. */
export const proofName = 'REGISTER.json'
/** Proofs of the incident's entries, one to a line. */
export const entriesName = 'register/entries.jsonl'
export const evidenceKind = 'incident.evidence'

export type BundleFile = {
  readonly path: string
  readonly bytes: number
  readonly sha256: Digest
  readonly collectedAt: string
  /** What was left out, in words of this program: `cut`, `redacted`. */
  readonly notes?: { readonly [key: string]: Json }
}

/** What could not be had. `reason` is a sentence of the system that was asked. */
export type Gap = { readonly path: string; readonly source: string; readonly reason: string; readonly retry: boolean }

export type BundleManifest = {
  readonly format: typeof bundleFormat
  readonly incident: string
  readonly version: number
  readonly collector: { readonly version: number; readonly program: string }
  readonly collectedAt: string
  readonly scope: { readonly domain: string; readonly account: string | null }
  readonly window: { readonly since: string; readonly until: string }
  /** Milliseconds that the host's clock is off; null and why where nobody can tell. */
  readonly clockOffset: { readonly milliseconds: number | null; readonly why: string }
  readonly files: readonly BundleFile[]
  readonly gaps: readonly Gap[]
}

export function formatManifest(manifest: BundleManifest): string {
  return `${canonicalJson(manifest)}\n`
}

/** Undefined for anything that `formatManifest` would not have written. */
export function parseManifest(text: string): BundleManifest | undefined {
  try {
    const value = JSON.parse(text) as BundleManifest
    const sound =
      value?.format === bundleFormat &&
      typeof value.incident === 'string' &&
      typeof value.collectedAt === 'string' &&
      Number.isSafeInteger(value.version) &&
      Array.isArray(value.files) &&
      Array.isArray(value.gaps) &&
      value.files.every(file => typeof file?.path === 'string' && /^[0-9a-f]{64}$/.test(file.sha256))
    return sound && formatManifest(value) === text ? value : undefined
  } catch {
    return undefined
  }
}

/** `code` is stable; `file` the member that it is about. */
export type BundleFinding = {
  readonly code:
    | 'archive'
    | 'manifest'
    | 'missing'
    | 'extra'
    | 'order'
    | 'bytes'
    | 'digest'
    | 'proof'
    | 'claim'
    | 'entries'
  readonly file: string
  readonly detail: string
}

export type BundleVerdict = {
  readonly ok: boolean
  readonly manifest: BundleManifest | null
  readonly digest: Digest | null
  readonly keyFrom: 'given' | 'export'
  readonly findings: readonly BundleFinding[]
}

export function verifyBundle(archive: Buffer, check: { readonly publicKey?: string } = {}): BundleVerdict {
  const { members, seconds, findings: shape } = readTar(archive)
  const findings: BundleFinding[] = shape.map(({ name, why }) => ({ code: 'archive', file: name, detail: why }))
  const add = (code: BundleFinding['code'], file: string, detail: string) => findings.push({ code, file, detail })
  const byName = new Map(members.map(member => [member.name, member]))
  const keyFrom = check.publicKey === undefined ? ('export' as const) : ('given' as const)
  const written = byName.get(manifestName)
  const manifest = written === undefined ? undefined : parseManifest(Buffer.from(written.bytes).toString('utf8'))
  if (written === undefined || manifest === undefined) {
    add('manifest', manifestName, written === undefined ? 'missing' : 'form')
    return { ok: false, manifest: null, digest: null, keyFrom, findings }
  }
  const digest = sha256(written.bytes)
  const wanted = [manifestName, proofName, ...manifest.files.map(({ path }) => path)]
  for (const name of wanted) if (!byName.has(name)) add('missing', name, 'missing')
  for (const { name } of members) if (!wanted.includes(name)) add('extra', name, 'extra')
  if (members.map(({ name }) => name).join('\n') !== wanted.join('\n')) add('order', manifestName, 'order')
  if (seconds !== Math.floor(Date.parse(manifest.collectedAt) / 1000)) add('archive', manifestName, 'time')
  for (const { path, bytes, sha256: named } of manifest.files) {
    const member = byName.get(path)
    if (member === undefined) continue
    if (member.bytes.length !== bytes) add('bytes', path, `${member.bytes.length} != ${bytes}`)
    const found = sha256(member.bytes)
    if (found !== named) add('digest', path, `${found} != ${named}`)
  }
  checkClaim({ byName, manifest, digest, check }, add)
  return { ok: findings.length === 0, manifest, digest, keyFrom, findings }
}

type Claim = {
  readonly byName: ReadonlyMap<string, Member>
  readonly manifest: BundleManifest
  readonly digest: Digest
  readonly check: { readonly publicKey?: string }
}

/** That the register names this manifest, and that every entry in the bundle stands in the same register. */
function checkClaim(
  { byName, manifest, digest, check }: Claim,
  add: (code: BundleFinding['code'], file: string, detail: string) => void,
): void {
  const proof = parseJson(byName.get(proofName))
  // One spelling only: a blank between two members is a changed byte, too.
  if (proof !== undefined && `${canonicalJson(proof)}\n` !== textOf(byName.get(proofName)))
    add('proof', proofName, 'form')
  const verdict = verifyProof(proof, check)
  for (const { code } of verdict.findings) add('proof', proofName, code)
  const facts = verdict.entry?.facts
  const names =
    verdict.entry?.kind === evidenceKind &&
    facts?.['manifest'] === digest &&
    facts['incident'] === manifest.incident &&
    facts['version'] === manifest.version
  if (verdict.entry !== null && !names) add('claim', manifestName, 'the register names another manifest')
  const publicKey = check.publicKey ?? (proof as { publicKey?: string } | undefined)?.publicKey
  const lines = byName.get(entriesName)
  if (lines === undefined) return
  for (const [index, line] of textOf(lines).split('\n').slice(0, -1).entries()) {
    const { findings } = verifyProof(parseText(line), publicKey === undefined ? {} : { publicKey })
    for (const { code } of findings) add('entries', entriesName, `line ${index + 1}: ${code}`)
  }
}

const textOf = (member: Member | undefined) => Buffer.from(member?.bytes ?? []).toString('utf8')
const parseJson = (member: Member | undefined): unknown =>
  member === undefined ? undefined : parseText(textOf(member))

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No JSON: the proof says that it has no form.
    return undefined
  }
}
