/**
 * `replay`: what the traffic of a mail log would get now, or under other manifests. The log is other people's mail: it is
 * read, put together and forgotten; nothing of it is written anywhere but to the screen.
 */
import { createReadStream, statSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { endOfDay, type Instant, isDay, parseInstant, startOfDay } from '../core/clock.ts'
import type { Period } from '../replay/compare.ts'
import { createLineReader } from '../replay/lines.ts'
import { createReplay, type Replay } from '../replay/replay.ts'
import { eachLine, openLog, readFirstLines, readHead, unpacked } from '../replay/sources.ts'
import type { Act, Declare, Options } from './declare.ts'
import { CommandFailure, exits, fileFailure, type Io } from './io.ts'
import { renderReplay, replayView } from './render-replay.ts'
import { checkWorlds, loadConfigurations, pathFromHere, type WorldReader } from './worlds.ts'

export function replayCommands(
  program: Command,
  declare: Declare,
  act: Act,
  io: Io,
  lent: { readonly worlds: WorldReader },
): void {
  const command = declare(program, 'replay <maillog...>', io.say('replay'))
    .option('--manifests <folder>', io.say('replayManifests'))
    .addOption(new Option('--config <file>', io.say('replayConfig')))
    .option('--since <instant>', io.say('replaySince'))
    .option('--until <instant>', io.say('replayUntil'))
  act(command, (files, options) => replayCommand(io, lent.worlds, files, options))
}

async function replayCommand(io: Io, readWorlds: WorldReader, files: readonly string[], options: Options) {
  const { config, other } = await loadConfigurations(io, options)
  const { timeZone } = config.operator
  const period = periodOf(io, options, timeZone)
  for (const file of files) checkFile(io, file)
  const worlds = await readWorlds(config, other)
  checkWorlds(io, worlds, other?.manifestsFolder ?? '')
  const mistakes = worlds.today.diagnostics.filter(({ severity }) => severity === 'error').length
  if (mistakes > 0) io.err(io.say('replayTodayMistakes', { count: mistakes }))
  const before = worlds.other === null ? null : worlds.today
  const after = worlds.other ?? worlds.today
  const replay = createReplay({ before, after, period, timeZone })
  for (const file of await inOrder(io, files, timeZone, worlds.today.at))
    await readLog(io, replay, file, worlds.today.at)
  const report = replay.end()
  if (report.understood === 0)
    throw new CommandFailure(exits.badInput, io.say('replayNoMail', { files: files.join(', ') }))
  const pathOf = (side: 'before' | 'after', file: string) =>
    pathFromHere((side === 'before' ? config : (other ?? config)).manifestsFolder, file)
  const view = replayView(report, { config, other, pathOf })
  if (io.json) io.out(JSON.stringify(view, null, 2))
  else io.out(renderReplay(view, timeZone, io.say, io.paint))
  return report.comparison.flipped === 0 ? exits.done : exits.pending
}

function periodOf(io: Io, options: Options, timeZone: string): Period {
  const instant = (option: 'since' | 'until', ofDay: (day: string, zone: string) => Instant) => {
    const text: string | undefined = options[option]
    if (text === undefined) return undefined
    const found = isDay(text) ? ofDay(text, timeZone) : parseInstant(text)
    if (found === undefined) throw new CommandFailure(exits.usage, io.say('noInstant', { option: `--${option}`, text }))
    return found
  }
  return {
    since: instant('since', startOfDay) ?? Number.NEGATIVE_INFINITY,
    until: instant('until', endOfDay) ?? Number.POSITIVE_INFINITY,
  }
}

function checkFile(io: Io, file: string): void {
  if (file === '-') return
  try {
    if (!statSync(file).isDirectory()) return
  } catch (error) {
    throw fileFailure(io, file, error)
  }
  throw new CommandFailure(exits.badInput, io.say('fileFolder', { file }))
}

/** Rotated logs by the time that they begin, however the shell ordered their names; standard input last. */
async function inOrder(io: Io, files: readonly string[], timeZone: string, now: Instant): Promise<readonly string[]> {
  const reader = createLineReader(timeZone)
  const begun = await Promise.all(
    files.map(async file => {
      if (file === '-') return { file, begin: Number.POSITIVE_INFINITY }
      try {
        const { writtenAt } = await readHead(file)
        for (const line of await readFirstLines(file)) {
          const read = reader.read(line, Math.min(writtenAt, now))
          if (typeof read !== 'string') return { file, begin: read.at }
        }
        return { file, begin: writtenAt }
      } catch (error) {
        throw logFailure(io, file, error)
      }
    }),
  )
  return begun.sort((a, b) => a.begin - b.begin).map(({ file }) => file)
}

async function readLog(io: Io, replay: Replay, file: string, now: Instant): Promise<void> {
  let number = 0
  try {
    const end = file === '-' ? now : Math.min((await readHead(file)).writtenAt, now)
    const pieces = file === '-' ? unpacked(createReadStream('', { fd: 0 })) : await openLog(file)
    await eachLine(pieces, (line, cut) => {
      number += 1
      replay.take(line, { file, number, end, cut })
    })
  } catch (error) {
    throw logFailure(io, file, error)
  }
}

function logFailure(io: Io, file: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException
  if (code?.startsWith('Z_'))
    return new CommandFailure(exits.badInput, io.say('replayGzip', { file, why: (error as Error).message }))
  return fileFailure(io, file, error)
}
