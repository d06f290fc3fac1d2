/**
 * `replay`: a mail log's recipients judged again, now and under other manifests. Reads logs, manifests, configuration and
 * the register; asks no system and writes nothing.
 */
import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Instant } from '../core/clock.ts'
import { formatDiagnostic, toDiagnosticJson } from '../core/messages.ts'
import { buildSnapshot } from '../decision/snapshot.ts'
import type { LoadedEstate } from '../manifest/load.ts'
import type { AgentConfig, World } from '../model/world.ts'
import { compareDecisions } from '../replay/compare.ts'
import { type LineKind, type LogLine, readLines } from '../replay/lines.ts'
import { joinMessages } from '../replay/messages.ts'
import { type GlobalOptions, loadConfig } from './call.ts'
import { CommandFailure, exits, fileFailure, type Io } from './io.ts'
import { type Counts, renderReplay, toReplayView } from './render-replay.ts'

export type Worlds = {
  readonly now: World
  readonly other: { readonly world: World; readonly loaded: LoadedEstate } | null
  /** Sentences about a register that does not verify. */
  readonly findings: readonly string[]
}

/** Named by the composition root. */
export type WorldReader = (config: AgentConfig, folder: string | null) => Promise<Worlds>

type Log = { readonly name: string; readonly file: string | null; readonly writtenAt: Instant }

export async function replayCommand(
  io: Io,
  read: WorldReader,
  files: readonly string[],
  options: GlobalOptions & { manifests?: string; timeZone?: string },
): Promise<number> {
  const config = await loadConfig(options, io)
  const timeZone = options.timeZone ?? config.operator.timeZone
  if (!isTimeZone(timeZone)) throw new CommandFailure(exits.usage, io.say('replayNoZone', { zone: timeZone }))
  const folder = options.manifests ?? null
  if (folder !== null && !lookAt(io, folder).isDirectory())
    throw new CommandFailure(exits.badInput, io.say('fileMissing', { file: folder }))
  const stats = files.map(name => (name === '-' ? null : lookAt(io, name)))
  const { now, other, findings } = await read(config, folder === null ? null : resolve(folder))
  if (findings.length > 0) io.err(io.say('distrusted', { why: findings.join('; ') }))
  if (other !== null && folder !== null && tellErrors(io, other.loaded, folder)) return exits.badInput

  const logs = files
    .map((name, index): Log => {
      const written = stats[index]?.mtimeMs
      return written === undefined
        ? { name: io.say('standardInput'), file: null, writtenAt: now.at }
        : { name, file: name, writtenAt: written }
    })
    // Messages go on from one rotated log to the next, in whatever order the shell names them.
    .toSorted((a, b) => a.writtenAt - b.writtenAt)
  const counts = noCounts()
  const count = (kind: keyof Counts) => {
    counts[kind] += 1
  }
  const lines = readLogs(io, logs, timeZone, count)
  const comparison = await compareDecisions(
    joinMessages(lines, { count }),
    buildSnapshot(now),
    other === null ? null : buildSnapshot(other.world),
  )
  if (counts.line > 0 && counts.line === counts['no-stamp'] + counts['too-long'] + counts['other-program'])
    throw new CommandFailure(exits.badInput, io.say('replayNoPostfix', { lines: counts.line }))
  const view = toReplayView(comparison, counts, folder)
  if (io.json) io.out(JSON.stringify(view, null, 2))
  else io.out(renderReplay(view, io.say, io.paint, config.operator.timeZone))
  return comparison.flips.length > 0 ? exits.pending : exits.done
}

function noCounts(): Record<keyof Counts, number> {
  return {
    line: 0,
    'too-long': 0,
    'no-stamp': 0,
    'other-program': 0,
    shape: 0,
    'beginning-missing': 0,
    'end-missing': 0,
    local: 0,
    reinjected: 0,
    'other-stage': 0,
    'login-unknown': 0,
    forgotten: 0,
  }
}

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

function lookAt(io: Io, file: string) {
  try {
    return statSync(file)
  } catch (error) {
    throw fileFailure(io, file, error)
  }
}

/** As `validate` tells them. True when there are errors: a half-read estate would answer for mail it does not know. */
function tellErrors(io: Io, { diagnostics, texts }: LoadedEstate, folder: string): boolean {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return false
  const error = io.say('replayInvalid', { folder })
  if (io.json) {
    const told = errors.map(diagnostic => toDiagnosticJson(diagnostic, io.language))
    io.out(JSON.stringify({ version: 1, error, diagnostics: told }, null, 2))
    return true
  }
  for (const diagnostic of errors)
    io.err(`${formatDiagnostic(diagnostic, io.language, texts.get(diagnostic.place?.file ?? ''))}\n`)
  io.err(error)
  return true
}

async function* readLogs(
  io: Io,
  logs: readonly Log[],
  timeZone: string,
  count: (kind: LineKind | 'line') => void,
): AsyncIterable<LogLine> {
  for (const { name, file, writtenAt } of logs) {
    const chunks: AsyncIterable<Uint8Array> = file === null ? process.stdin : createReadStream(file)
    try {
      yield* readLines(chunks, { timeZone, writtenAt, count })
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException
      if (syscall !== undefined) throw fileFailure(io, name, error)
      // zlib's own: a log that is cut short, or was never gzip but for its first two bytes.
      if (code?.startsWith('Z_') !== true) throw error
      throw new CommandFailure(exits.badInput, io.say('replayUnread', { file: name, why: code }))
    }
  }
}
