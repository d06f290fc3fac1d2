/**
 * Zones of BIND: a zone file each, one included configuration file that holds our zones and nothing else, one
 * `rndc reconfig` for all that changed. named.conf itself is the operator's and is never written. Once BIND serves a
 * zone its file is BIND's: it keeps the journal of UPDATE beside it.
 */
import { dirname, join } from 'node:path'
import { toRdata } from '../../agent/standards/dns-wire.ts'
import { ProviderFailure } from '../provider.ts'
import {
  filesAtOnceMax,
  makeFolder,
  octetsOf,
  putAway,
  readWhole,
  removeFile,
  syncFolder,
  writeAside,
  zoneFileName,
} from './files.ts'
import { eachOf } from './gate.ts'
import { marksOwner, marksTtl } from './marks.ts'
import { type Command, checkCommand, type Ended, lastWords, runProgram } from './program.ts'
import { done, type ListedZone, type NewZone, type StepResult, type ZoneMaking } from './zone-making.ts'

export type BindZoneMaking = {
  readonly kind: 'bind'
  /** Where zone files go. BIND's user must be able to make files in it, for its journals. */
  readonly folder: string
  /** Included by named.conf, and written by nobody else; empty at first. */
  readonly include: string
  /** Statements of each zone beside type and file: `allow-update { key "mw"; };`, which is the default with our key. */
  readonly statements?: string
  readonly rndc: Command
}

const rndcMs = 60_000 // with 10,000 zones it takes a quarter of a second; on a loaded machine it must not be cut

const fileEnds = ['', '.jnl', '.jbk'] // the zone, its journal, and the journal before it was made shorter
const journalHeaderOctets = 64 // of BIND's format 9.2; what is shorter holds nothing
/** A record beside the marks that says nothing to anybody: a zone has it until its journal is made. */
const newborn = 'new'

type Entry = { readonly apex: string; readonly note: string }
/** Notes as they stand in the file; `gone` has no zone statement any more. */
const header = '// Zones of mailwarden, written by it and by nobody else. The notes at the ends of lines are its own.\n'

function listed(note: string): ListedZone {
  if (note === 'made' || note === 'pending') return { state: note }
  return { state: 'leaving', mark: note.slice(note.indexOf(' ') + 1) }
}

export function createBindZoneMaking(options: BindZoneMaking, keyName: string): ZoneMaking {
  const { folder, include, rndc } = options
  const statements = options.statements ?? `allow-update { key "${keyName}"; };`
  checkCommand(rndc)
  const fileOf = (apex: string) => join(folder, zoneFileName(apex))

  function lineOf({ apex, note }: Entry): string {
    const statement = `zone "${apex}" { type primary; file "${fileOf(apex)}"; ${statements} };`
    return note.startsWith('gone ') ? `// ${apex} ${note}\n` : `${statement} // ${note}\n`
  }

  /** @throws ProviderFailure for a file that is not as we left it: nothing is guessed. */
  async function read(): Promise<Map<string, string>> {
    const text = await readWhole(include, 'the list of zones that named.conf includes,')
    const notes = new Map<string, string>()
    for (const line of text.split('\n').filter(line => line !== '' && `${line}\n` !== header)) {
      const parts = /^(?:zone "([^"]+)" \{.*\}; \/\/ (made|pending|leaving \S+)|\/\/ (\S+) (gone \S+))$/.exec(line)
      const [apex, note] = parts === null ? [] : [parts[1] ?? parts[3], parts[2] ?? parts[4]]
      if (apex === undefined || note === undefined)
        throw new ProviderFailure(
          'rejected',
          `${include} has a line that mailwarden did not write: ${line.slice(0, 80)}`,
          {
            retry: 'never',
          },
        )
      notes.set(apex, note)
    }
    return notes
  }

  async function write(notes: ReadonlyMap<string, string>): Promise<void> {
    const entries = [...notes].map(([apex, note]) => ({ apex, note }))
    await writeAside(include, header + entries.map(lineOf).join(''))
    await syncFolder(dirname(include))
  }

  async function change(apexes: readonly string[], note: (apex: string) => string | null): Promise<void> {
    const notes = await read()
    for (const apex of apexes) {
      const next = note(apex)
      if (next === null) notes.delete(apex)
      else notes.set(apex, next)
    }
    await write(notes)
  }

  const run = (...args: string[]): Promise<Ended> => runProgram(rndc, args, '', rndcMs)

  /** `refused`: BIND has read the configuration and keeps its former one. */
  async function reconfig(): Promise<'done' | { refused: string } | { unsure: string }> {
    const ended = await run('reconfig')
    if (ended.status === 0) return 'done'
    const words = lastWords(ended)
    return /'reconfig' failed/.test(ended.stderr) ? { refused: words } : { unsure: words }
  }

  function rndcFailure(what: string, words: string): ProviderFailure {
    return new ProviderFailure('unreachable', `rndc could not ${what}: ${words}`, { retry: 'later' })
  }

  /** One zone that BIND does not take must not hold up the others: halves are tried until it is alone. */
  async function addAll(apexes: readonly string[], results: Map<string, StepResult>): Promise<void> {
    await change(apexes, () => 'pending')
    const answer = await reconfig()
    if (answer === 'done') for (const apex of apexes) results.set(apex, done)
    // It may have got there, and BIND reads the file when it is started next: the notes stay.
    else if ('unsure' in answer)
      for (const apex of apexes)
        results.set(apex, { result: 'unknown', detail: `rndc could not reconfigure: ${answer.unsure}` })
    else {
      // A file that BIND refuses would keep it from starting the next time.
      await change(apexes, () => null)
      const half = Math.ceil(apexes.length / 2)
      if (apexes.length === 1)
        results.set(apexes[0] ?? '', { result: 'failed', detail: `BIND does not take the zone: ${answer.refused}` })
      else for (const part of [apexes.slice(0, half), apexes.slice(half)]) await addAll(part, results)
    }
  }

  async function removeFiles(apex: string): Promise<void> {
    for (const end of fileEnds) await removeFile(`${fileOf(apex)}${end}`)
  }

  async function putAwayFiles(apex: string): Promise<void> {
    for (const end of fileEnds) await putAway(`${fileOf(apex)}${end}`)
  }

  return {
    list: async () => ({
      ours: new Map([...(await read())].map(([apex, note]) => [apex, listed(note)])),
      everybodys: null,
    }),
    async add(zones: readonly NewZone[]) {
      const results = new Map<string, StepResult>()
      await makeFolder(folder)
      await eachOf(zones, filesAtOnceMax, async ({ apex, text }) => {
        // A journal of an older zone would be held against the new file, and the zone not be loaded.
        await putAwayFiles(apex)
        await writeAside(fileOf(apex), `${text}${marksOwner(apex)}. ${marksTtl} IN TXT "${newborn}"\n`)
      })
      await syncFolder(folder)
      await addAll(
        zones.map(({ apex }) => apex),
        results,
      )
      return results
    },
    // Killed while it makes a journal, BIND leaves an empty file, and refuses to load the zone with it.
    firstUpdate: apex => ({
      zone: apex,
      prerequisites: [],
      steps: [
        {
          step: 'delete-record',
          owner: marksOwner(apex),
          type: 'TXT',
          rdata: toRdata({ type: 'TXT', text: newborn }, 0),
        },
      ],
    }),
    async unloaded(apex) {
      const zone = await run('zonestatus', apex)
      if (zone.status === 0 || !zone.stderr.includes('zone not loaded')) return null
      const server = await run('status')
      if (server.status !== 0 || !server.stdout.includes('server is up and running')) return null
      const file = fileOf(apex)
      const retry = `then run rndc reload ${apex}`
      if ((await octetsOf(file)) === null) return `its file ${file} is gone: put it back, ${retry}`
      if (((await octetsOf(`${file}.jnl`)) ?? journalHeaderOctets) < journalHeaderOctets)
        return `its journal ${file}.jnl is cut off before its first change: remove it, ${retry}`
      return `rndc reload ${apex} says why: mend ${file} or its journal (.jnl), ${retry}`
    },
    putAway: putAwayFiles,
    confirm: apexes => change(apexes, () => 'made'),
    async discard(apexes) {
      await change(apexes, () => null)
      const answer = await reconfig()
      if (answer !== 'done') throw rndcFailure('take back zones that are not served', Object.values(answer).join())
      await eachOf(apexes, filesAtOnceMax, removeFiles)
    },
    async leave(zones) {
      const notes = await read()
      const staying = [...zones].filter(([apex]) => notes.get(apex)?.startsWith('gone ') !== true)
      for (const [apex, mark] of staying) notes.set(apex, `leaving ${mark}`)
      await write(notes)
    },
    async freeze(apex) {
      const ended = await run('freeze', apex)
      // Frozen by a pass before this one: as wanted. Not found: its configuration is gone already.
      if (ended.status !== 0 && !/already frozen|not found/.test(ended.stderr))
        throw rndcFailure(`freeze ${apex}`, lastWords(ended))
    },
    async stay(apexes) {
      for (const apex of apexes) await run('thaw', apex)
      await change(apexes, () => 'made')
    },
    async remove(apexes, whenGone) {
      const notes = await read()
      const marks = new Map(apexes.map(apex => [apex, notes.get(apex)?.replace(/^\S+ ?/, '') ?? '']))
      await change(apexes, apex => `gone ${marks.get(apex) || '-'}`)
      const answer = await reconfig()
      if (answer !== 'done') throw rndcFailure('take away zones', Object.values(answer).join())
      await whenGone()
      await eachOf(apexes, filesAtOnceMax, removeFiles)
      await change(apexes, () => null)
    },
  }
}
