/** `replay`: what other manifests, or those of today, would have made of the mail in a log of Postfix. Reads only. */
import { resolve } from 'node:path'
import { formatInstant } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import { formatDiagnostic } from '../core/messages.ts'
import type { Snapshot } from '../decision/snapshot.ts'
import type { AgentConfig } from '../model/world.ts'
import {
  type Comparison,
  compare,
  emptyComparison,
  type Flip,
  judgeBy,
  judgeByLog,
  sortedFlips,
} from '../replay/compare.ts'
import { attemptsOf, emptyTally, type Tally } from '../replay/messages.ts'
import { loadConfig } from './call.ts'
import type { Options } from './declare.ts'
import { CommandFailure, exits, fileFailure, type Io } from './io.ts'
import { endOf, logLines } from './log-lines.ts'
import { table } from './render.ts'
import { printable } from './texts.ts'

/** The tables of this installation, and of other manifests with what was found in them. */
export type Rules = {
  readonly now: Snapshot
  readonly other: Snapshot | null
  readonly diagnostics: readonly Diagnostic[]
}

/** Named by the composition root. */
export type RulesOpener = (config: AgentConfig, folder: string | null) => Promise<Rules>

export async function replayCommand(
  io: Io,
  lent: { readonly rules: RulesOpener; readonly now: () => number },
  logs: readonly string[],
  options: Options,
): Promise<number> {
  const config = await loadConfig(options, io)
  const folder = options['manifests'] === undefined ? null : resolve(options['manifests'])
  const { now, other, diagnostics } = await lent.rules(config, folder)
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length > 0)
    throw new CommandFailure(exits.badInput, errors.map(one => formatDiagnostic(one, io.language)).join('\n'))
  const [before, after] = other === null ? [judgeByLog, judgeBy(now)] : [judgeBy(now), judgeBy(other)]
  const [comparison, tally] = [emptyComparison(), emptyTally()]
  for (const name of logs) {
    try {
      // A stamp without a zone is of the host that wrote it: the mail host, as a rule this one.
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
      const stamps = { timeZone, end: endOf(name, lent.now()) }
      const lines = logLines(name, () => {
        tally.tooLong += 1
      })
      for await (const attempt of attemptsOf(lines, stamps, tally)) compare(comparison, attempt, before, after)
    } catch (error) {
      throw logFailure(io, name, error)
    }
  }
  if (io.json) io.out(JSON.stringify(viewOf(comparison, tally), null, 2))
  else io.out(linesOf(io, comparison, tally))
  return comparison.flipped > 0 ? exits.pending : exits.done
}

function logFailure(io: Io, name: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException
  // What zlib says of a file that is cut or is none of its own.
  if (code?.startsWith('Z_')) return new CommandFailure(exits.badInput, io.say('replayPacked', { file: name, code }))
  return fileFailure(io, name, error)
}

function viewOf(comparison: Comparison, tally: Tally): Record<string, unknown> {
  const { judged, flipped, byOthers, unlisted } = comparison
  const flips = sortedFlips(comparison).map(flip => ({
    ...flip,
    first: { ...flip.first, at: formatInstant(flip.first.at) },
  }))
  return { version: 1, judged, flipped, byOthers, unlisted, flips, lines: tally }
}

function linesOf(io: Io, comparison: Comparison, tally: Tally): string[] {
  const { say, paint } = io
  const flips = sortedFlips(comparison)
  const word = ({ effect, reason }: Flip['from']) => (reason === 'log' ? effect : `${effect} ${reason}`)
  const rows = flips.map(({ subject, from, to, first, source, count }) => [
    printable(subject === '' ? '<>' : subject),
    String(count),
    `${word(from)} → ${word(to)}`,
    printable(`${first.sender || '<>'} → ${first.recipient}`),
    formatInstant(first.at),
    source === null ? '' : printable(`${source.file}:${source.line}:${source.column}`),
  ])
  const heads = ['replayWho', 'replayCount', 'replayChange', 'replayFirst', 'replayAt', 'source'] as const
  const [header = '', ...body] = table([heads.map(name => say(name)), ...rows])
  const { judged, flipped, byOthers, unlisted } = comparison
  return [
    ...(rows.length === 0 ? [] : [paint('strong', header), ...body, '']),
    ...(unlisted > 0 ? [say('replayUnlisted', { unlisted })] : []),
    paint(flipped > 0 ? 'warn' : 'add', say('replayTotal', { judged, flipped })),
    say('replayLines', { ...tally, byOthers }),
  ]
}
