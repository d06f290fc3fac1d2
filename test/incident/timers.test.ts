/** What time alone makes due (mission section 6; P16): reminders and alarms, each once, whatever the clock and restarts do. */
import { describe, expect, test } from 'vitest'
import { formatInstant } from '../../agent/core/clock.ts'
import { acknowledge } from '../../agent/incident/closing.ts'
import { applyEntry, emptyIncidents } from '../../agent/incident/lifecycle.ts'
import { fileReport, reviewReport } from '../../agent/incident/papers.ts'
import { leverEntries } from '../../agent/incident/recovery.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { dueTimers } from '../../agent/incident/timers.ts'
import { levers } from '../../agent/model/incident.ts'
import { Case, contextOf, digestA, hcg, reportFields, start } from './fixture.ts'

const id = 'INC-2026-0001'
const minute = 60_000
const hour = 60 * minute
const daemon = { person: 'daemon', role: 'daemon' }

function suspended(who: string, drill = false): Case {
  const world = new Case()
  world.do(suspend(world.incidents, { scope: hcg, reason: 'r', class: 'spam', drill }, contextOf(who)))
  return world
}

function probed(world: Case, state: 'verified' | 'failed', at: number): void {
  const found = levers.map(lever => ({ incident: id, lever, state }))
  world.append(leverEntries(world.incidents, found, { actor: daemon, at }))
}

/** What is due then, told at once as the daemon does, with the register read anew. */
function tell(world: Case, at: number, onCall = 3): string[] {
  const due = dueTimers(world.entries.reduce(applyEntry, emptyIncidents), at, onCall)
  world.append(
    due.map(({ id: notice, topic, audience, incident }) => ({
      kind: 'notice.sent',
      actor: daemon,
      at: formatInstant(at),
      subject: id,
      facts: { incident, notice, topic, audience, timer: true, nobody: false },
    })),
  )
  return due.map(({ topic, audience, onCall: step }) => `${topic} ${audience}${step ?? ''}`)
}

describe('reminders of the report', () => {
  const contained = () => {
    const world = suspended('ana')
    probed(world, 'verified', start + 1)
    return world
  }

  test('after 24 hours, 72 hours and seven days, each once and to more people', () => {
    const world = contained()
    expect(tell(world, start + 24 * hour - 1)).toEqual([])
    expect(tell(world, start + 24 * hour)).toEqual(['report-owed representative'])
    expect(tell(world, start + 25 * hour)).toEqual([])
    expect(tell(world, start + 72 * hour)).toEqual(['report-owed director', 'report-owed representative'])
    expect(tell(world, start + 168 * hour)).toHaveLength(3)
    expect(tell(world, start + 1_000 * hour)).toEqual([])
  })

  test('a clock that jumps ahead tells the last alone, and nothing again when it is set back', () => {
    const world = contained()
    expect(tell(world, start + 400 * hour)).toEqual([
      'report-owed director',
      'report-owed representative',
      'report-owed operator',
    ])
    for (const at of [0, 30, 80, 200]) expect(tell(world, start + at * hour)).toEqual([])
  })

  test('none while a report waits for its review; anew from the day that it was returned', () => {
    const world = contained()
    const later = { at: start + 20 * hour }
    const file = { incident: id, fields: reportFields(id), document: digestA }
    world.do(fileReport(world.incidents, file, contextOf('gema', later)))
    expect(tell(world, start + 80 * hour)).toEqual([])
    const returned = { incident: id, result: 'returned', points: 'p' } as const
    world.do(reviewReport(world.incidents, returned, contextOf('berta', { at: start + 90 * hour })))
    expect(tell(world, start + 100 * hour)).toEqual([])
    expect(tell(world, start + 114 * hour)).toEqual(['report-owed representative'])
  })

  test('a drill reminds nobody', () => {
    expect(tell(suspended('ana', true), start + 400 * hour)).toEqual([])
  })
})

describe('alarms', () => {
  test('doors that stay open: security after a minute, then one person on call after the other', () => {
    const world = suspended('ana')
    expect(tell(world, start + minute - 1)).toEqual([])
    expect(tell(world, start + minute)).toEqual(['levers-open operator', 'levers-open on-call0'])
    expect(tell(world, start + 15 * minute)).toEqual([])
    expect(tell(world, start + 16 * minute)).toEqual(['levers-open on-call1'])
    expect(tell(world, start + 120 * minute)).toEqual(['levers-open on-call2'])
    expect(tell(world, start + 240 * minute)).toEqual([])
    probed(world, 'verified', start + 241 * minute)
    expect(tell(world, start + 5 * hour)).toEqual([])
    // One that opens again is another alarm.
    probed(world, 'failed', start + 6 * hour)
    expect(tell(world, start + 6 * hour)).toEqual([])
    expect(tell(world, start + 6 * hour + minute)).toEqual(['levers-open operator', 'levers-open on-call0'])
  })

  test('an incident that nobody took up: a quarter of an hour, until somebody does', () => {
    const world = suspended('local:root')
    probed(world, 'verified', start + 1)
    expect(tell(world, start + 14 * minute)).toEqual([])
    expect(tell(world, start + 15 * minute, 0)).toEqual(['not-taken-up operator'])
    expect(tell(world, start + 30 * minute)).toEqual(['not-taken-up on-call1'])
    expect(acknowledge(world.incidents, { incident: id }, contextOf('saul')).ok).toBe(false)
    world.do(acknowledge(world.incidents, { incident: id }, contextOf('rosa')))
    expect(tell(world, start + 60 * minute)).toEqual([])
  })
})
