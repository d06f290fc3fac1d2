/** The way back, entry by entry: stages and what stops them, probation, the duplicate, the lessons, mail by name (P6, P11). */
import { describe, expect, test } from 'vitest'
import { dayMs, formatInstant } from '../../agent/core/clock.ts'
import type { ActContext, ActResult } from '../../agent/incident/acting.ts'
import { close, duplicate } from '../../agent/incident/closing.ts'
import { annul, release } from '../../agent/incident/ending.ts'
import { stateOf } from '../../agent/incident/gate.ts'
import { mayGo } from '../../agent/incident/held.ts'
import { applyEntry, emptyIncidents, openHolds, openProbations } from '../../agent/incident/lifecycle.ts'
import { decideMail, purgeMail } from '../../agent/incident/mail-acts.ts'
import { fileReport, recordAction, reviewReport, verifyAction } from '../../agent/incident/papers.ts'
import { rotate } from '../../agent/incident/recovery.ts'
import { dueStageEntries } from '../../agent/incident/stages.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { scopeTest } from '../../agent/standards/hold-scope.ts'
import { Case, contextOf, digestA, digestB, hcg, jperez, reportFields, start } from './fixture.ts'

const id = 'INC-2026-0001'
const hourMs = 3_600_000
const terms = { nationalAfterMs: 2 * hourMs, internationalAfterMs: dayMs, probationMs: 7 * dayMs, probationPercent: 50 }
const daemon = { person: 'daemon', role: 'daemon' }
const codes = (result: ActResult) => (result.ok ? result.message.code : result.refusals.map(({ code }) => code))

function ready(): Case {
  const world = new Case()
  world.do(suspend(world.incidents, { scope: hcg, reason: 'x', class: 'spam', drill: false }, contextOf('saul')))
  makeReady(world)
  return world
}

function makeReady(world: Case, at = start): void {
  const as = (person: string) => contextOf(person, { at })
  world.do(fileReport(world.incidents, { incident: id, fields: reportFields(id), document: digestA }, as('gema')))
  world.do(reviewReport(world.incidents, { incident: id, result: 'accepted' }, as('berta')))
  const action = { incident: id, what: 'w', who: 'Marta Gil', day: '2026-07-01', evidence: digestB }
  world.do(recordAction(world.incidents, action, as('gema')))
  world.do(verifyAction(world.incidents, { incident: id, action: 1 }, as('ana')))
  world.do(rotate(world.incidents, { incident: id, proof: { expected: 2, rotated: 2 } }, as('saul')))
}

/** @returns what the second person was told. */
function releaseAt(world: Case, at: number, changes: Partial<ActContext> = { terms }): ActResult {
  world.do(release(world.incidents, { incident: id }, contextOf('ana', { at, ...changes })))
  return world.do(release(world.incidents, { incident: id }, contextOf('berta', { at, ...changes })))
}

const tick = (world: Case, at: number) => world.append(dueStageEntries(world.incidents, { actor: daemon, at }))
const holdNow = (world: Case) => openHolds(world.incidents)[0]
const kinds = (world: Case) => world.entries.map(({ kind }) => kind)

describe('a release in stages', () => {
  test('each stage is an entry, and opens what it says and no more', () => {
    const world = ready()
    expect(codes(releaseAt(world, start))).toBe('M-RELEASING')
    expect(kinds(world).slice(-2)).toEqual(['release.ordered', 'release.stage'])
    expect(holdNow(world)).toMatchObject({ levers: ['send', 'receive', 'relay'], cap: 'local' })
    expect(stateOf(world.get(id), 'none')).toBe('releasing')
    tick(world, start + 2 * hourMs - 1)
    expect(holdNow(world)).toMatchObject({ cap: 'local' })
    tick(world, start + 2 * hourMs)
    expect(holdNow(world)).toMatchObject({ levers: ['send', 'receive', 'relay'], cap: 'national' })
    tick(world, start + dayMs + 2 * hourMs - 1)
    expect(holdNow(world)).toMatchObject({ cap: 'national' })
    tick(world, start + dayMs + 2 * hourMs)
    expect(openHolds(world.incidents)).toEqual([])
    expect(world.get(id).ended).toMatchObject({ how: 'released', by: ['ana', 'berta'] })
    expect(kinds(world).slice(-4)).toEqual(['release.ordered', 'release.stage', 'release.stage', 'service.restored'])
    expect(world.incidents.disbelieved).toEqual([])
    const size = world.entries.length
    tick(world, start + 9 * dayMs)
    expect(world.entries).toHaveLength(size)
  })

  test('without waits it is whole at once; a drill has no stages', () => {
    const world = ready()
    const none = { ...terms, nationalAfterMs: 0, internationalAfterMs: 0 }
    expect(codes(releaseAt(world, start, { terms: none }))).toBe('M-RELEASED')
    expect(kinds(world)).not.toContain('release.stage')
    expect(openHolds(world.incidents)).toEqual([])
  })

  test('a stage before its time, out of its order or without the order is not believed', () => {
    const stage = (name: string, at: number, kind = 'release.stage') => ({
      kind,
      actor: daemon,
      at: formatInstant(at),
      subject: id,
      rule: 'S41',
      facts: { incident: id, stage: name },
    })
    const world = ready()
    world.append([stage('collection', start)])
    expect(holdNow(world)?.levers).toHaveLength(7)
    releaseAt(world, start)
    world.append([
      stage('national', start + 1),
      stage('international', start + 9 * dayMs),
      stage('international', start + 9 * dayMs, 'service.restored'),
    ])
    expect(holdNow(world)).toMatchObject({ cap: 'local' })
    // A clock that was set back takes nothing away and gives nothing.
    tick(world, start - dayMs)
    expect(holdNow(world)).toMatchObject({ cap: 'local' })
    expect(world.incidents.disbelieved).toHaveLength(4)
  })

  test('another suspend closes it all again, and the way back starts anew', () => {
    const world = ready()
    releaseAt(world, start)
    tick(world, start + 2 * hourMs)
    const at = start + 3 * hourMs
    const again = { scope: jperez, reason: 'otra vez', class: 'spam', drill: false }
    expect(codes(world.do(suspend(world.incidents, again, contextOf('saul', { at }))))).toBe('M-RELEASE-STOPPED')
    expect(holdNow(world)?.levers).toHaveLength(7)
    expect(holdNow(world)).not.toHaveProperty('cap')
    tick(world, start + 9 * dayMs)
    expect(holdNow(world)?.levers).toHaveLength(7)
    expect(codes(releaseAt(world, at))).toEqual(['E-NOT-ROTATED', 'E-TWO-PERSON'])
    world.do(rotate(world.incidents, { incident: id, proof: { expected: 2, rotated: 2 } }, contextOf('saul', { at })))
    expect(codes(releaseAt(world, at))).toBe('M-RELEASING')
  })

  test('folded in two halves it is the same; two people may still declare it unfounded', () => {
    const world = ready()
    releaseAt(world, start)
    tick(world, start + 2 * hourMs)
    for (let cut = 0; cut <= world.entries.length; cut += 1) {
      const half = world.entries.slice(0, cut).reduce(applyEntry, emptyIncidents)
      expect(world.entries.slice(cut).reduce(applyEntry, half)).toEqual(world.incidents)
    }
    const args = { incident: id, reason: 'r' }
    world.do(annul(world.incidents, args, contextOf('ana')))
    world.do(annul(world.incidents, args, contextOf('berta')))
    expect(openHolds(world.incidents)).toEqual([])
  })
})

describe('probation and the end', () => {
  test('it begins with the release, ends by itself, and what was ordered stays whatever is configured later', () => {
    const world = ready()
    releaseAt(world, start, { terms: { ...terms, nationalAfterMs: 0, internationalAfterMs: 0 } })
    const until = start + 7 * dayMs
    expect(openProbations(world.incidents, until - 1)).toEqual([
      { incident: id, scope: { domain: hcg, account: null }, since: start, until, percent: 50 },
    ])
    expect(openProbations(world.incidents, until)).toEqual([])
  })

  test('closed with lessons, after probation and notices and not before', () => {
    const world = ready()
    const lessons = { text: 'Dos factores para todos.' }
    const closeAt = (at: number, given: Parameters<typeof close>[1]['lessons'] = lessons) =>
      codes(world.do(close(world.incidents, { incident: id, lessons: given }, contextOf('ana', { at }))))
    expect(closeAt(start)).toEqual(['E-NOT-ENDED'])
    releaseAt(world, start, { terms: { ...terms, nationalAfterMs: 0, internationalAfterMs: 0 } })
    expect(closeAt(start + dayMs)).toEqual(['E-PROBATION'])
    const after = start + 8 * dayMs
    expect(closeAt(after)).toEqual(['E-NOTICES-DUE'])
    world.append(
      world.incidents.due.map(({ id: notice, topic, audience }) => ({
        kind: 'notice.sent',
        actor: daemon,
        at: formatInstant(after),
        subject: id,
        facts: { incident: id, notice, topic, audience },
      })),
    )
    expect(closeAt(after, { text: ' ' })).toEqual(['E-LESSONS'])
    expect(closeAt(after)).toBe('M-CLOSED')
    expect(stateOf(world.get(id), 'none')).toBe('closed')
    expect(JSON.stringify(world.entries.at(-1)?.facts)).not.toContain('factores')
    expect(world.get(id).closed?.lessons).toMatch(/^[0-9a-f]{64}$/)
  })

  test('a duplicate ends only in one that holds all it holds', () => {
    const world = new Case()
    const suspended = (scope: string, kind: string, only?: string[]) =>
      world.do(
        suspend(
          world.incidents,
          { scope, reason: 'x', class: kind, drill: false, ...(only === undefined ? {} : { only }) },
          contextOf('saul'),
        ),
      )
    suspended(jperez, 'phishing')
    suspended(hcg, 'spam', ['send'])
    const twin = (incident: string, of: string) =>
      codes(world.do(duplicate(world.incidents, { incident, of }, contextOf('ana'))))
    expect(twin(id, 'INC-2026-0002')).toEqual(['E-NOT-COVERED'])
    expect(twin(id, id)).toEqual(['E-NOT-COVERED'])
    suspended(hcg, 'spam')
    const before = openHolds(world.incidents)
    expect(twin('INC-2026-0002', id)).toEqual(['E-NOT-COVERED'])
    expect(twin(id, 'INC-2026-0002')).toBe('M-DUPLICATE')
    expect(openHolds(world.incidents)).toEqual(before.filter(({ incident }) => incident !== id))
  })
})

describe('held mail by name', () => {
  const names = [1, 2, 3].map(n => ({ host: 'mx1', id: `4abc${n}`, arrivedAt: start + n }))
  const [one, two] = names as [(typeof names)[0], (typeof names)[0]]
  const choice = (...messages: typeof names) => ({ rule: { named: messages.length }, messages })
  const goes = (world: Case, message: (typeof names)[0], owners: readonly string[] = [id]) =>
    mayGo(
      { ...message, sender: jperez, recipients: [{ address: 'x@fuera.example' }] },
      {
        host: 'mx1',
        incidents: world.incidents,
        owners,
        holds: openHolds(world.incidents),
        inScope: hold => scopeTest(hold.scope),
      },
    )
  const decide = (world: Case, decision: string, messages?: typeof names, person = 'ana') =>
    world.do(
      decideMail(
        world.incidents,
        { incident: id, decision, ...(messages === undefined ? {} : { choice: choice(...messages) }) },
        contextOf(person),
      ),
    )

  test('nothing goes before the end, nothing that is undecided, and nothing kept by name', () => {
    const world = ready()
    decide(world, 'release', [one])
    expect(goes(world, one)).toBe(false)
    releaseAt(world, start, {})
    expect([goes(world, one), goes(world, two)]).toEqual([true, false])
    const other = ready()
    decide(other, 'keep', [one])
    decide(other, 'release')
    releaseAt(other, start, {})
    expect([goes(other, one), goes(other, two)]).toEqual([false, true])
    // What was held for another incident as well, or for nobody that is known, stays.
    expect([goes(other, two, [id, 'INC-2026-0009']), goes(other, two, [])]).toEqual([false, false])
    // Held again: whatever an earlier incident let go.
    other.do(suspend(other.incidents, { scope: hcg, reason: 'x', class: 'dos', drill: false }, contextOf('saul')))
    expect(goes(other, two)).toBe(false)
  })

  test('to keep everything takes back what was let go by name; a changed decision voids the approval of a release', () => {
    const world = ready()
    decide(world, 'release', [one])
    world.do(release(world.incidents, { incident: id }, contextOf('ana')))
    decide(world, 'keep')
    expect(world.get(id).messages.size).toBe(0)
    const second = world.do(release(world.incidents, { incident: id }, contextOf('berta')))
    expect(second.ok).toBe(false)
  })

  test('after the end it takes two, the same messages, and an entry alone is not believed', () => {
    const world = ready()
    decide(world, 'keep')
    releaseAt(world, start, {})
    expect(decide(world, 'release', [one]).ok && goes(world, one)).toBe(false)
    expect(decide(world, 'release', [one]).ok).toBe(false)
    expect(decide(world, 'release', [two], 'berta').ok).toBe(false)
    expect(decide(world, 'release', [one], 'berta').ok).toBe(true)
    expect([goes(world, one), goes(world, two)]).toEqual([true, false])
    world.append([
      {
        kind: 'mail.decided',
        actor: { person: 'carla', role: 'security-lead' },
        at: formatInstant(start),
        subject: id,
        facts: { incident: id, decision: 'release', messages: 1, digest: digestA },
        personal: { messages: [two] },
      },
    ])
    expect(goes(world, two)).toBe(false)
  })

  test('a purge is bound to the evidence: another header, another person, another day', () => {
    const world = ready()
    const seen = names.map(name => ({
      ...name,
      bytes: 1,
      sender: jperez,
      recipients: ['x@f.example'],
      headers: digestA,
    }))
    const purge = (person: string, list = seen, at = start) =>
      world.do(purgeMail(world.incidents, { incident: id, seen: list, rule: {} }, contextOf(person, { at })))
    expect(purge('saul').ok).toBe(false)
    expect(purge('berta').ok).toBe(false)
    expect(codes(purge('ana'))).toBe('M-FIRST')
    expect(purge('ana').ok).toBe(false)
    expect(purge('berta', [{ ...seen[0]!, headers: digestB }, ...seen.slice(1)]).ok).toBe(false)
    expect(purge('berta', seen, start + dayMs).ok).toBe(false)
    expect(codes(purge('berta'))).toBe('M-MAIL-PURGED')
    const ordered = world.entries.at(-1)
    expect(ordered).toMatchObject({ kind: 'mail.purge-ordered', facts: { messages: 3, orderedBy: ['ana', 'berta'] } })
    expect(JSON.stringify(ordered?.facts)).not.toContain('@')
  })
})
