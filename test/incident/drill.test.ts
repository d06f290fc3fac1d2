/** Drills: on paper and live, whom they tell, what they never mix with, and their times. */
import { describe, expect, test } from 'vitest'
import { dayMs } from '../../agent/core/clock.ts'
import { acknowledge, duplicate } from '../../agent/incident/closing.ts'
import { drillTimes, isWholeDrill } from '../../agent/incident/drill.ts'
import { annul, release } from '../../agent/incident/ending.ts'
import { openHolds } from '../../agent/incident/lifecycle.ts'
import { fileReport, recordAction, reviewReport, verifyAction } from '../../agent/incident/papers.ts'
import { leverEntries, rotate } from '../../agent/incident/recovery.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { dueTimers } from '../../agent/incident/timers.ts'
import { levers } from '../../agent/model/incident.ts'
import { Case, contextOf, digestA, digestB, hcg, reportFields, start } from './fixture.ts'

const minuteMs = 60_000
const id = 'INC-2026-0001'

function begin(kind: 'paper' | 'live' | 'real', world = new Case(), at = start): Case {
  const context = contextOf('saul', { at, isTestDomain: domain => domain === hcg })
  const args = { scope: hcg, reason: 'x', class: 'test', drill: kind === 'paper', liveDrill: kind === 'live' }
  expect(world.do(suspend(world.incidents, args, context)).ok).toBe(true)
  return world
}

const kinds = ({ incidents }: Case) =>
  [...incidents.byId.values()].map(({ drill, liveDrill }) => (drill ? 'paper' : liveDrill ? 'live' : 'real'))

describe('a live drill', () => {
  test('is for test domains alone, and on record only there', () => {
    const world = new Case()
    const args = { scope: 'otra.example', reason: 'x', class: 'test', drill: false, liveDrill: true }
    for (const context of [contextOf('saul', { isTestDomain: domain => domain === hcg }), contextOf('saul')]) {
      const refused = world.do(suspend(world.incidents, args, context))
      expect(refused).toMatchObject({ ok: false, exit: 65, refusals: [{ code: 'E-DRILL-DOMAIN' }] })
    }
    expect(world.entries).toEqual([])
  })

  test('is a hold that tells the operator alone, also of doors that stay open, and reminds nobody of a report', () => {
    const world = begin('live')
    expect(openHolds(world.incidents)).toHaveLength(1)
    expect(world.incidents.due.map(({ audience, drill }) => [audience, drill])).toEqual([['operator', true]])
    const timers = dueTimers(world.incidents, start + 30 * dayMs, 2)
    expect(new Set(timers.map(({ topic }) => topic))).toEqual(new Set(['levers-open', 'not-taken-up']))
    expect(timers.every(({ audience, drill }) => drill && ['operator', 'on-call'].includes(audience))).toBe(true)
  })

  test('is never joined by a real suspension, nor the reason to end one', () => {
    const world = begin('real', begin('paper', begin('live')))
    expect(kinds(world)).toEqual(['live', 'paper', 'real'])
    expect(openHolds(world.incidents)).toHaveLength(2)
    expect(world.incidents.due.filter(({ drill }) => !drill).map(({ audience }) => audience)).toEqual([
      'director',
      'representative',
      'operator',
    ])
    for (const [incident, of] of [
      ['INC-2026-0003', id],
      [id, 'INC-2026-0003'],
    ] as const)
      expect(duplicate(world.incidents, { incident, of }, contextOf('rosa'))).toMatchObject({ ok: false, exit: 3 })
  })
})

describe('the times of a drill', () => {
  const at = (minutes: number) => start + minutes * minuteMs
  const timesOf = (world: Case, now: number) =>
    drillTimes(world.get(id), world.entries, now).map(({ step, tookMs, result }) => [
      step,
      tookMs === null ? null : tookMs / minuteMs,
      result,
    ])

  function wayBack(world: Case): void {
    const by = (person: string, minute: number) => contextOf(person, { at: at(minute) })
    const act = (result: Parameters<Case['do']>[0]) => expect(world.do(result).ok).toBe(true)
    act(acknowledge(world.incidents, { incident: id }, by('rosa', 16)))
    act(
      fileReport(
        world.incidents,
        { incident: id, fields: reportFields(id, 'Luis Mora'), document: digestA },
        by('gema', 30),
      ),
    )
    act(reviewReport(world.incidents, { incident: id, result: 'accepted' }, by('carla', 31)))
    const action = { incident: id, what: 'w', who: 'Luis Mora', day: '2026-06-30', evidence: digestB }
    act(recordAction(world.incidents, action, by('gema', 32)))
    act(verifyAction(world.incidents, { incident: id, action: 1 }, by('rosa', 33)))
    act(rotate(world.incidents, { incident: id, proof: { expected: 0, rotated: 0 } }, by('saul', 34)))
    act(release(world.incidents, { incident: id }, by('rosa', 35)))
    act(release(world.incidents, { incident: id }, by('carla', 36)))
  }

  test('from the suspension to the release, live: what was late is late', () => {
    const world = begin('live')
    const verified = levers.map(lever => ({ incident: id, lever, state: 'verified' as const }))
    world.append(leverEntries(world.incidents, verified, { actor: { person: 'daemon', role: 'daemon' }, at: at(0.5) }))
    expect(isWholeDrill(world.get(id))).toBe(false)
    wayBack(world)
    expect(isWholeDrill(world.get(id))).toBe(true)
    expect(timesOf(world, at(40))).toEqual([
      ['closed', 0.5, 'met'],
      ['taken-up', 16, 'late'],
      ['told', null, 'left-out'],
      ['report', 30, 'met'],
      ['accepted', 31, 'done'],
      ['action', 33, 'done'],
      ['rotated', 34, 'done'],
      ['approved', 35, 'done'],
      ['released', 36, 'done'],
      ['lessons', null, 'open'],
    ])
  })

  test('on paper nothing is closed; what is open past its time is late', () => {
    const world = begin('paper')
    expect(openHolds(world.incidents)).toEqual([])
    expect(timesOf(world, at(14)).slice(0, 2)).toEqual([
      ['closed', null, 'none'],
      ['taken-up', null, 'open'],
    ])
    expect(timesOf(world, at(15.1))[1]).toEqual(['taken-up', null, 'late'])
    wayBack(world)
    expect(isWholeDrill(world.get(id))).toBe(true)
  })

  test('one that two people called off was not whole', () => {
    const world = begin('paper')
    for (const person of ['rosa', 'carla'])
      world.do(annul(world.incidents, { incident: id, reason: 'x' }, contextOf(person)))
    expect(world.get(id).ended?.how).toBe('annulled')
    expect(isWholeDrill(world.get(id))).toBe(false)
    expect(timesOf(world, at(1)).find(([step]) => step === 'released')).toEqual(['released', null, 'left-out'])
  })
})
