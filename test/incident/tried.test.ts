/** Doors tried as a thief would: whose lever it is, when it is news, and what it outweighs. */
import { expect, test } from 'vitest'
import { openHolds } from '../../agent/incident/lifecycle.ts'
import { leverEntries } from '../../agent/incident/recovery.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { type LoginTry, stillOpen, triedEntries } from '../../agent/incident/tried.ts'
import { levers } from '../../agent/model/incident.ts'
import type { Address } from '../../agent/model/name.ts'
import { Case, contextOf, hcg, jperez, start } from './fixture.ts'

const id = 'INC-2026-0001'
const collector = `multipop@${hcg}` as Address
const special = () => ({ administrator: `admin@${hcg}` as Address, collector })
const by = { actor: { person: 'daemon', role: 'daemon' }, at: start + 3_000 }
const tried = (over: Partial<LoginTry> = {}): LoginTry => ({
  account: jperez,
  protocol: 'imap',
  wanted: 'refused',
  seen: 'as-wanted',
  ...over,
})

function suspended(scope: string = hcg, more: object = {}): Case {
  const world = new Case()
  world.do(suspend(world.incidents, { scope, reason: 'x', class: 'spam', drill: false, ...more }, contextOf('saul')))
  return world
}
const tell = (world: Case, tries: readonly LoginTry[]) => {
  const entries = triedEntries(world.incidents, tries, special, by)
  world.append(entries)
  return entries.map(({ kind, facts }) => `${kind} ${facts['lever'] ?? `${facts['refused']}/${facts['tries']}`}`)
}

test('a first try is news, the same again is none; its time is from the command', () => {
  const world = suspended()
  expect(tell(world, [tried(), tried({ protocol: 'submission' })])).toEqual(['suspension.tried 2/2'])
  expect(world.entries.at(-1)?.facts).toMatchObject({ incident: id, open: [], afterMs: 3_000 })
  expect(tell(world, [tried()])).toEqual([])
  expect(world.get(id).tried).toMatchObject({ tries: 2, refused: 2, open: [] })
})

test('who came in fails the lever of that door, and is told again when it is closed', () => {
  const world = suspended()
  const verified = levers.map(lever => ({ incident: id, lever, state: 'verified' as const }))
  world.append(leverEntries(world.incidents, verified, by))
  expect(tell(world, [tried({ seen: 'otherwise' }), tried({ protocol: 'submission' })])).toEqual([
    'suspension.tried 1/2',
    'suspension.lever login',
  ])
  expect(world.get(id).progress.get('login')).toBe('failed')
  expect(stillOpen(world.incidents)).toEqual([hcg])
  expect(tell(world, [tried({ account: collector, seen: 'otherwise' })])).toEqual([
    'suspension.tried 0/1',
    'suspension.lever collection',
  ])
  expect(tell(world, [tried(), tried({ account: collector })])).toEqual(['suspension.tried 2/2'])
  expect(stillOpen(world.incidents)).toEqual([])
  // A try opens nothing.
  expect(openHolds(world.incidents)).toHaveLength(1)
})

test('what proves nothing says nothing: other domains, other accounts, levers that are open, drills, silence', () => {
  const other = { account: 'x@otra.example' as Address, seen: 'otherwise' } as const
  expect(tell(suspended(), [tried(other), tried({ seen: 'unproved' }), tried({ wanted: 'accepted' })])).toEqual([])
  expect(tell(suspended(jperez), [tried({ account: 'mlopez@hcg.example' as Address })])).toEqual([])
  expect(tell(suspended(hcg, { only: ['send'] }), [tried({ seen: 'otherwise' })])).toEqual([])
  expect(tell(suspended(hcg, { drill: true }), [tried({ seen: 'otherwise' })])).toEqual([])
})
