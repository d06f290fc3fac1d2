/**
 * Zones of Knot DNS: a zone file each, and one transaction of its configuration database over `knotc` for all that
 * changed. The `comment` of a zone tells that it is ours, and how far it is made. Zones without our comment are never
 * touched. Once Knot serves a zone its file is Knot's.
 */
import { join } from 'node:path'
import { bareName } from '../../agent/standards/dns-resource.ts'
import { ProviderFailure } from '../provider.ts'
import { filesAtOnceMax, makeFolder, putAway, removeFile, syncFolder, writeAside, zoneFileName } from './files.ts'
import { eachOf } from './gate.ts'
import { type Command, checkCommand, lastWords, runProgram } from './program.ts'
import { done, type ListedZone, type NewZone, type StepResult, type ZoneMaking } from './zone-making.ts'

export type KnotZoneMaking = {
  readonly kind: 'knot'
  /** Where zone files go. Knot's user must be able to write them. */
  readonly folder: string
  /** With `-s` and the control socket; Knot must run from a configuration database. */
  readonly knotc: Command
  /** Template of new zones; absent: Knot's `default`. It must let our key update and transfer. */
  readonly template?: string
}

const knotcMs = 60_000 // ten thousand zones take some seconds
const ours = 'mailwarden:'
const waiting = '-b' // until the event is over

export function createKnotZoneMaking(options: KnotZoneMaking): ZoneMaking {
  const { folder, knotc, template } = options
  checkCommand(knotc)
  const fileOf = (apex: string) => join(folder, zoneFileName(apex))

  /** Its own status is 0 whatever its lines say, so each line of what it answers is read. */
  async function run(lines: readonly string[], ...options: string[]): Promise<readonly string[]> {
    const ended = await runProgram(knotc, options, `${lines.join('\n')}\n`, knotcMs)
    if (ended.status !== 0)
      throw new ProviderFailure('unreachable', `knotc could not reach Knot: ${lastWords(ended)}`, { retry: 'later' })
    // It remarks on the absence of a home, where it would keep the history of its lines.
    const answers = `${ended.stdout}\n${ended.stderr}`.split('\n').filter(line => !/^(notice:.*|\s*)$/.test(line))
    if (/^error: failed to connect/m.test(answers.join('\n')))
      throw new ProviderFailure('unreachable', `knotc could not reach Knot: ${lastWords(ended)}`, { retry: 'later' })
    const wrong = answers.filter(line => /^(error|warning|failed)\b/i.test(line))
    if (wrong.length > 0)
      throw new ProviderFailure('rejected', `Knot answers: ${wrong.slice(0, 3).join('; ')}`, { retry: 'later' })
    return answers
  }

  async function begin(): Promise<void> {
    try {
      await run(['conf-begin'])
    } catch (error) {
      if (!(await isOursOpen())) throw error
      await run(['conf-abort', 'conf-begin'])
    }
  }

  /** A pass that was killed leaves its transaction open. It is ours when it speaks of nothing but zones with our comment. */
  async function isOursOpen(): Promise<boolean> {
    const zones = new Set<string>()
    const commented = new Set<string>()
    for (const line of await run(['conf-diff']).catch(() => ['?'])) {
      const [, bare, item, value] = /^[+-]zone(?:\.domain = (\S+)|\[\S+\]\.(\S+) = (.*))$/.exec(line) ?? []
      const zone = bare ?? /^[+-]zone\[(\S+)\]/.exec(line)?.[1]
      if (zone === undefined) return false
      zones.add(zone)
      if (item === 'comment' && value?.replaceAll('"', '').startsWith(ours) === true) commented.add(zone)
    }
    return zones.size > 0 && [...zones].every(zone => commented.has(zone))
  }

  /** All of the lines or none. Somebody else's open transaction is waited for until the next pass. */
  async function transact(lines: readonly string[]): Promise<void> {
    await begin()
    try {
      await run(lines)
    } catch (error) {
      await run(['conf-abort']).catch(() => {})
      throw error
    }
    await run(['conf-commit'])
  }

  async function read(): Promise<{ all: Set<string>; comments: Map<string, string> }> {
    const all = new Set<string>()
    const comments = new Map<string, string>()
    for (const line of await run(['conf-read zone'])) {
      const domain = /^zone\.domain = (\S+)$/.exec(line)?.[1]
      if (domain !== undefined) all.add(bareName(domain))
      const [, zone, comment] = /^zone\[(\S+)\]\.comment = "?([^"]*)"?$/.exec(line) ?? []
      if (zone !== undefined && comment?.startsWith(ours) === true)
        comments.set(bareName(zone), comment.slice(ours.length))
    }
    return { all, comments }
  }

  function listed(comment: string): ListedZone {
    if (comment === 'made' || comment === 'pending') return { state: comment }
    return { state: 'leaving', mark: comment.slice(comment.indexOf(':') + 1) }
  }

  const note = (apex: string, text: string) => `conf-set zone[${apex}.].comment ${ours}${text}`

  async function addAll(apexes: readonly string[], results: Map<string, StepResult>): Promise<void> {
    const { all } = await read()
    const lines = apexes.flatMap(apex => [
      ...(all.has(apex) ? [] : [`conf-set zone[${apex}.]`]),
      ...(template === undefined ? [] : [`conf-set zone[${apex}.].template ${template}`]),
      `conf-set zone[${apex}.].file ${fileOf(apex)}`,
      note(apex, 'pending'),
    ])
    try {
      await transact(lines)
      for (const apex of apexes) results.set(apex, done)
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      const half = Math.ceil(apexes.length / 2)
      if (error.kind === 'unreachable' || apexes.length === 1) {
        const result = error.kind === 'unreachable' ? 'unknown' : 'failed'
        for (const apex of apexes) results.set(apex, { result, detail: error.message })
      } else for (const part of [apexes.slice(0, half), apexes.slice(half)]) await addAll(part, results)
    }
  }

  return {
    async list() {
      const { all, comments } = await read()
      return { ours: new Map([...comments].map(([apex, comment]) => [apex, listed(comment)])), everybodys: all }
    },
    async add(zones: readonly NewZone[]) {
      await makeFolder(folder)
      // A pass that was cut left them configured: what Knot makes of a new file beside an old journal is not to be told.
      const { comments } = await read()
      const begun = zones.flatMap(({ apex }) => (comments.has(apex) ? [`conf-unset zone[${apex}.]`] : []))
      if (begun.length > 0) await transact(begun)
      await eachOf(zones, filesAtOnceMax, async ({ apex, text }) => {
        await putAway(fileOf(apex))
        await writeAside(fileOf(apex), text)
      })
      await syncFolder(folder)
      // A journal of an older zone of that name would be held against the new file.
      await purge(zones.map(({ apex }) => apex))
      const results = new Map<string, StepResult>()
      await addAll(
        zones.map(({ apex }) => apex),
        results,
      )
      return results
    },
    async unloaded(apex) {
      const said = await run([`zone-status ${apex}. +serial`, `zone-status ${apex}. +events`])
      if (!said.includes(`[${apex}.] serial: -`) || said.some(line => /\bload:/.test(line))) return null
      return `Knot's log says why: mend ${fileOf(apex)}, then run knotc zone-reload ${apex}`
    },
    async putAway(apex) {
      await putAway(fileOf(apex))
    },
    confirm: apexes => transact(apexes.map(apex => note(apex, 'made'))),
    async discard(apexes) {
      await transact(apexes.map(apex => `conf-unset zone[${apex}.]`))
      await purge(apexes)
      await eachOf(apexes, filesAtOnceMax, apex => removeFile(fileOf(apex)))
    },
    leave: zones => transact([...zones].map(([apex, mark]) => note(apex, `leaving:${mark}`))),
    // Without waiting Knot answers before it has begun: the last look could come before the freeze, or an update after
    // the thaw could still be refused.
    freeze: async apex => void (await run([`zone-freeze ${apex}.`], waiting)),
    async stay(apexes) {
      await run(
        apexes.map(apex => `zone-thaw ${apex}.`),
        waiting,
      ).catch(() => {})
      await transact(apexes.map(apex => note(apex, 'made')))
    },
    async remove(apexes, whenGone) {
      await transact(apexes.map(apex => `conf-unset zone[${apex}.]`))
      await whenGone()
      await purge(apexes)
      await eachOf(apexes, filesAtOnceMax, apex => removeFile(fileOf(apex)))
    },
  }

  /** What Knot keeps of zones that are not configured: journal, timers, keys. */
  async function purge(apexes: readonly string[]): Promise<void> {
    const { all } = await read()
    const orphans = apexes.filter(apex => !all.has(apex))
    if (orphans.length > 0)
      await run(
        orphans.map(apex => `zone-purge +orphan ${apex}.`),
        '-f',
      )
  }
}
