/**
 * The lines of mail logs that concern a scope, in their order: those that name it, and the others of the same queue
 * files. Two passes over each file: who brought a message is logged before whose it is. Bounded; what is cut is counted.
 * Reads files, writes nothing.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Instant } from '../core/clock.ts'
import type { HoldScope } from '../model/incident.ts'
import { localpartOf } from '../model/name.ts'
import { createLineReader } from '../replay/lines.ts'
import { eachLine, openLog, readHead } from '../replay/sources.ts'
import { redact, redacted } from './redact.ts'

/** Of one log with all its rotations: a case is read by people, and a bundle travels. */
export const sliceBytesMax = 16 * 1024 * 1024
/** Queue files remembered of one log; beyond it only lines that name the scope are taken. */
const queueIdsMax = 200_000
/**
 * A stamp without a zone is read in the operator’s; a host may log in another, up to fourteen hours away. A line too many
 * harms nobody, and what seems to come from the future is only such a line: the window is open at its end.
 */
const slackMs = 14 * 3_600_000

export type Slice = {
  readonly bytes: Buffer
  readonly lines: number
  /** Lines that fit no more. */
  readonly cut: number
  readonly redacted: number
  /** Lines whose time cannot be told and that concern the scope: taken, since what is in doubt is evidence. */
  readonly undated: number
  readonly files: readonly string[]
}

export type SliceOptions = {
  readonly scope: HoldScope
  /** More names of the account. */
  readonly aliases: readonly string[]
  readonly since: Instant
  readonly timeZone: string
  readonly signal: AbortSignal
}

/** Whether a line names the scope, wherever in it. A longer name or a subdomain is somebody else's. */
export function lineTest({ scope, aliases }: Pick<SliceOptions, 'scope' | 'aliases'>): (line: string) => boolean {
  const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
  const end = String.raw`(?![A-Za-z0-9-])(?!\.[A-Za-z0-9])`
  const whole = `(?<![A-Za-z0-9.-])${literal(scope.domain)}${end}`
  const names =
    scope.account === null ? [] : [localpartOf(scope.account), ...aliases.map(alias => alias.split('@')[0] ?? '')]
  const account = String.raw`(?<![A-Za-z0-9._+-])(?:${names.map(literal).join('|')})(?:\+[^@\s]{0,64})?@${literal(scope.domain)}${end}`
  const pattern = new RegExp(scope.account === null ? whole : account, 'i')
  return line => pattern.test(line)
}

// After the tag: `postfix/qmgr[12]: 4F3A1C0D9E: from=…`. Short ids are hexadecimal, long ones have no vowels.
const queueId = /\]: ([0-9A-F]{5,17}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}): /

/** A pipe or a device would be waited for without end. @throws as the disk would. */
async function writtenAt(path: string): Promise<Instant> {
  const found = await stat(path)
  if (!found.isFile()) throw Object.assign(new Error('no regular file'), { code: 'ENOTSUP' })
  return found.mtimeMs
}

/** The log and what was rotated away from it, oldest first; those last written before the window are left out. */
export async function rotations(file: string, since: Instant): Promise<readonly string[]> {
  const folder = dirname(file)
  const name = basename(file)
  const entries = (await readdir(folder)).filter(
    entry =>
      entry === name || (entry.startsWith(name) && /^[.-][0-9][0-9T_-]*(?:\.gz)?$/.test(entry.slice(name.length))),
  )
  const dated = await Promise.all(
    entries.map(async entry => {
      const path = join(folder, entry)
      const mtimeMs = await writtenAt(path)
      return { path, mtimeMs, isPlain: entry === name }
    }),
  )
  return dated
    .filter(({ mtimeMs }) => mtimeMs >= since - slackMs)
    .toSorted((a, b) => Number(a.isPlain) - Number(b.isPlain) || a.mtimeMs - b.mtimeMs)
    .map(({ path }) => path)
}

/** @throws the disk's own error when the log is not there or may not be read. */
export async function sliceLog(file: string, options: SliceOptions): Promise<Slice> {
  const { since, signal } = options
  const files = await rotations(file, since)
  // A log that is configured and not there must not read as a quiet night.
  if (!files.includes(file)) await writtenAt(file)
  const names = lineTest(options)
  const ids = new Set<string>()
  for (const each of files)
    await lines(each, signal, line => {
      if (!names(line)) return
      const id = queueId.exec(line)?.[1]
      if (id !== undefined && ids.size < queueIdsMax) ids.add(id)
    })
  const reader = createLineReader(options.timeZone)
  const taken: string[] = []
  const counts = { bytes: 0, cut: 0, redacted: 0, undated: 0 }
  for (const each of files) {
    const { writtenAt: end } = await readHead(each)
    await lines(each, signal, line => {
      const id = queueId.exec(line)?.[1]
      if (!names(line) && (id === undefined || !ids.has(id))) return
      const at = instantOf(reader.read(line, end))
      if (at === undefined) counts.undated += 1
      else if (at < since - slackMs) return
      const clean = redact(line)
      if (counts.bytes + clean.length + 1 > sliceBytesMax) {
        counts.cut += 1
        return
      }
      if (clean.endsWith(redacted) && clean !== line) counts.redacted += 1
      counts.bytes += clean.length + 1
      taken.push(clean)
    })
  }
  const { cut, redacted: hidden, undated } = counts
  const bytes = Buffer.from(taken.map(line => `${line}\n`).join(''), 'latin1')
  return { bytes, lines: taken.length, cut, redacted: hidden, undated, files: files.map(each => basename(each)) }
}

function instantOf(line: ReturnType<ReturnType<typeof createLineReader>['read']>): Instant | undefined {
  return typeof line === 'string' ? undefined : line.at
}

async function lines(file: string, signal: AbortSignal, take: (line: string) => void): Promise<void> {
  const pieces = await openLog(file)
  async function* untilAborted(): AsyncIterable<Buffer> {
    for await (const piece of pieces) {
      signal.throwIfAborted()
      yield piece
    }
  }
  await eachLine(untilAborted(), take)
}
