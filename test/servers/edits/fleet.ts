/**
 * A fleet on one real server, and edits of it by somebody else with that server's own tools: each in a domain of its own,
 * so that one plan shows which edit was seen as what. Everything is asked through the command line, as operators do.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createEstate, type Estate, institutionText, type ProviderLines } from '../../support/estate.ts'

/** What somebody did by hand, and what has to come of it; words are `<action> <kind> <key>` and `<kind> <key>`. */
export type Edit = {
  readonly name: string
  /** Its own domain; what a plan shows of it belongs to this edit. */
  readonly domain: string
  readonly act: () => void | Promise<void>
  /** Shown with `why` drift and put back. */
  readonly drift?: () => readonly string[]
  /** Ours no more by one of the two keys: told before and after, and left. */
  readonly contested?: () => readonly string[]
  /** Somebody's own: `unmanaged` has it before and after. */
  readonly foreign?: () => readonly string[]
  /** Who did it, where the server tells. */
  readonly by?: () => string
  /** Contested as well, but nothing of it stands: what is not ours has taken its place. */
  readonly ousted?: () => readonly string[]
  /** Drift that is not put back yet, since what is not ours has its name. */
  readonly kept?: () => readonly string[]
  /** The incident that it goes against. */
  readonly incident?: () => string
  /** Looks at the server itself, after it was all put back. */
  readonly check?: () => void | Promise<void>
}

export type Looked = {
  readonly changes: readonly any[]
  readonly contested: readonly any[]
  /** Without the crowd. */
  readonly unmanaged: readonly any[]
  /** How many of the thousand objects of others `unmanaged` has. */
  readonly crowd: number
  readonly exit: number | null
}

/** The many objects of others are named for it, so that they are told from what an edit adds. */
export const crowdName = 'ajeno'
const isCrowd = ({ key }: { key: string }) => /ajeno\d/.test(key)

export type Story = {
  readonly seen: Looked
  readonly applied: { readonly exit: number | null; readonly json: any }
  readonly left: Looked
  /** Entries of the register since the edits, oldest first. */
  readonly entries: readonly any[]
  /** What `plan` says to a person. */
  readonly text: string
}

export const wordOf = ({ kind, key }: { kind: string; key: string }) => `${kind} ${key}`
export const changeWord = ({ action, ref }: any) => `${action} ${wordOf(ref)}`

/** The domain that a word speaks of; a member's is that of the list's edit, which the address is named for. */
export function domainOfWord(word: string): string {
  const key = word.split(' ').at(-1) ?? ''
  if (/(^| )member /.test(word)) return key.slice(key.indexOf('@', key.indexOf('/')) + 1)
  return key.includes('@') ? key.slice(key.lastIndexOf('@') + 1) : (key.split('/')[0] ?? '')
}

export type Fleet = AsyncDisposable & {
  readonly estate: Estate
  secret(name: string, value: string): string
  /** Applies it all; the next plan is empty. */
  apply(lines: ProviderLines): Promise<void>
  look(): Promise<Looked>
  /** All of the edits, then plan, apply, plan. */
  tell(edits: readonly Edit[]): Promise<Story>
}

const plainText = (domain: string) => institutionText(domain.split('.')[0] ?? domain, { domain })

/** @param textOf the manifest of a domain, where a plain institution will not do. */
export async function createFleet(
  domains: readonly string[],
  textOf: (domain: string) => string = plainText,
): Promise<Fleet> {
  const estate = await createEstate(
    Object.fromEntries(domains.map(domain => [`${domain.split('.')[0]}.yaml`, textOf(domain)])),
  )
  const look = async (): Promise<Looked> => {
    const plan = await estate.json(['plan'])
    const { json } = await estate.json(['unmanaged'])
    const { changes, contested } = plan.json
    const [crowd, unmanaged] = [true, false].map(one => json.objects.filter(({ ref }: any) => isCrowd(ref) === one))
    return { changes, contested, unmanaged, crowd: crowd.length, exit: plan.exit }
  }
  const fleet: Fleet = {
    estate,
    look,
    secret(name, value) {
      const file = join(estate.folder, `${name}.secret`)
      writeFileSync(file, value, { mode: 0o600 })
      return `{ file: ${file} }`
    },
    async apply(lines) {
      estate.configure(lines)
      const { exit, json } = await estate.json(['apply', '--yes'])
      expect({ exit, counts: json.counts }).toMatchObject({ exit: 0, counts: { failed: 0, unknown: 0, conflict: 0 } })
      expect(await estate.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [], keys: [] } })
    },
    async tell(edits) {
      const known = (await estate.json(['register', 'list'])).json.entries.length
      for (const { act } of edits) await act()
      const seen = await look()
      const text = (await estate.cli(['plan'])).out
      const applied = await estate.json(['apply', '--yes'])
      const left = await look()
      const { entries } = (await estate.json(['register', 'list', '--from', String(known)])).json
      expect((await estate.json(['register', 'verify'])).exit).toBe(0)
      return { seen, applied, left, entries, text }
    },
    [Symbol.asyncDispose]: () => estate[Symbol.asyncDispose](),
  }
  return fleet
}

const sorted = (words: readonly string[]) => words.toSorted()
const within = (domain: string) => (word: string) => domainOfWord(word) === domain

/** One edit of a story: seen for what it is and nothing else, treated by the policy of its kind, and on record. */
export async function expectTold(story: Story, edit: Edit): Promise<void> {
  const { seen, left, entries, applied } = story
  const own = (words: readonly string[]) => sorted(words.filter(within(edit.domain)))
  const wanted = (words?: () => readonly string[]) => sorted(words?.() ?? [])
  const drift = seen.changes.filter(change => within(edit.domain)(changeWord(change)))
  expect(own(seen.changes.map(changeWord)), 'the changes of the plan').toEqual(wanted(edit.drift))
  expect(new Set(drift.map(({ why }) => why))).toEqual(new Set(drift.length > 0 ? ['drift'] : []))
  const contested = (looked: Looked) => own(looked.contested.map(({ ref }) => wordOf(ref)))
  const lost = sorted([...wanted(edit.contested), ...wanted(edit.ousted)])
  expect(contested(seen), 'what the plan calls contested').toEqual(lost)
  const foreign = (looked: Looked) => own(looked.unmanaged.map(({ ref }) => wordOf(ref)))
  expect(foreign(seen), 'what is unmanaged').toEqual(sorted([...wanted(edit.foreign), ...wanted(edit.contested)]))

  const outcomes = applied.json.outcomes.filter(({ ref }: any) => within(edit.domain)(wordOf(ref)))
  const kept = wanted(edit.kept)
  const results = new Map<string, string>(outcomes.map(({ ref, result }: any) => [wordOf(ref), result]))
  for (const [word, result] of results)
    expect(result, word).toBe(kept.some(change => change.endsWith(word)) ? 'conflict' : 'applied')
  expect(results.size).toBe(drift.length)
  expect(own(left.changes.map(changeWord)), 'what is still to do').toEqual(kept)
  expect(contested(left)).toEqual(lost)
  expect(foreign(left), 'what is not ours stays').toEqual(sorted([...wanted(edit.foreign), ...wanted(edit.contested)]))

  const found = entries.filter(({ kind }) => kind === 'drift.found')
  const recorded = found.flatMap(({ personal }) => personal.refs.map(wordOf))
  expect(own(recorded), 'the register').toEqual(own(drift.map(({ ref }) => wordOf(ref))))
  for (const { actor } of found) expect(actor).toEqual({ person: 'unknown', role: 'unknown' })
  // What is gone has nobody's name on it any more.
  const told = edit.by === undefined ? [] : drift.filter(({ action }) => action === 'update')
  for (const change of drift) expect(change.lastEdit?.by).toBe(told.includes(change) ? edit.by?.() : undefined)
  const writers = found.flatMap(({ personal }) => personal.writers)
  for (const { ref, lastEdit } of told) expect(writers).toContainEqual({ ref, ...lastEdit })
  for (const { lastEdit } of told) expect(story.text).toContain(`${lastEdit.by}, ${lastEdit.at}`)
  const onRecord = entries.flatMap(({ kind, personal }) => (kind === 'contested.found' ? personal.objects : []))
  expect(own(onRecord.map(({ ref }) => wordOf(ref))), 'contested, in the register').toEqual(lost)
  const held = entries.filter(({ kind, subject }) => kind === 'drift.found' && subject === edit.incident?.())
  expect(own(held.flatMap(({ personal }) => personal.refs.map(wordOf)))).toEqual(
    edit.incident === undefined ? [] : own(recorded),
  )
  await edit.check?.()
}
