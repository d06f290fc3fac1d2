/** The fold by itself: erased parts, strange entries, ends that the register does not bear out, due notices. */
import { describe, expect, test } from 'vitest'
import { BrokenInvariant } from '../../agent/core/assert.ts'
import { applyEntry, emptyIncidents, openHolds, withdrawnDomains } from '../../agent/incident/lifecycle.ts'
import { levers } from '../../agent/model/incident.ts'
import type { NewEntry } from '../../agent/register/register.ts'
import { Case, digestA, hcg, jperez, store } from './fixture.ts'

const id = 'INC-2026-0001'

function entry(kind: string, facts: NewEntry['facts'], person = 'ana', personal?: NewEntry['personal']): NewEntry {
  return {
    kind,
    actor: { person, role: 'x' },
    at: '2026-07-01T15:00:00.000Z',
    subject: id,
    facts,
    ...(personal ? { personal } : {}),
  }
}

const declared = (facts: NewEntry['facts'] = {}, personal?: NewEntry['personal']) =>
  entry(
    'incident.declared',
    { incident: id, class: 'spam', domain: hcg, scope: 'domain', levers: [...levers], drill: false, ...facts },
    'ana',
    personal,
  )

function fold(...entries: readonly NewEntry[]): Case {
  const world = new Case()
  world.append(entries)
  return world
}

const gate = [
  entry('report.received', { incident: id, report: 1, document: digestA }),
  entry('report.accepted', { incident: id, report: 1 }, 'berta'),
  entry('action.recorded', { incident: id, action: 1, day: '2026-07-01', evidence: digestA }),
  entry('action.verified', { incident: id, action: 1 }, 'berta'),
  entry('secrets.rotated', { incident: id, secrets: 2 }),
  entry('release.approved', { incident: id, digest: digestA }, 'ana'),
]
const restored = entry('service.restored', { incident: id, mail: 'none', digest: digestA }, 'berta')

describe('in doubt the hold is wider', () => {
  const account = { scope: 'account', levers: ['send'] }

  test.each([
    ['a readable account is held alone', { account: jperez }, jperez],
    ['an erased account holds the domain', undefined, null],
    ['an unreadable account holds the domain', { account: 'x' }, null],
    ['an account of another domain holds the domain', { account: 'a@otra.example' }, null],
  ])('%s', (_, personal, held) => {
    expect(openHolds(fold(declared(account, personal)).incidents)).toMatchObject([
      { scope: { domain: hcg, account: held }, levers: ['send'] },
    ])
  })

  test.each([
    ['unknown', ['send', 'teleport']],
    ['none', []],
    ['not a list', 'send'],
  ])('levers that are %s close everything', (_, named) => {
    expect(openHolds(fold(declared({ levers: named })).incidents)[0]?.levers).toEqual(levers)
  })

  test('an account beside a scope that is the domain narrows nothing', () => {
    expect(openHolds(fold(declared({}, { account: jperez })).incidents)[0]?.scope.account).toBeNull()
    expect(openHolds(fold(declared({ scope: 'host' }, { account: jperez })).incidents)[0]?.scope.account).toBeNull()
  })

  test('only the very word true makes a drill', () => {
    expect(openHolds(fold(declared({ drill: 'true' })).incidents)).toHaveLength(1)
    expect(openHolds(fold(declared({ drill: true })).incidents)).toEqual([])
  })

  test('an incident without a domain is a bug, not a hold that got lost', () => {
    expect(() => fold(declared({ domain: null }))).toThrow(BrokenInvariant)
  })

  test('a number used twice loses no hold', () => {
    const world = fold(declared(), declared({ domain: 'otra.example' }))
    expect(openHolds(world.incidents).map(({ scope }) => scope.domain)).toEqual([hcg, 'otra.example'])
  })

  test('who erases the personal part of an account’s incident widens it, and its reason is gone', () => {
    const world = fold(declared(account, { account: jperez, reason: 'correo masivo' }))
    const erased = { ...store(declared(account, { account: jperez, reason: 'r' }), 0), personal: null }
    const after = applyEntry(emptyIncidents, erased)
    expect(openHolds(world.incidents)[0]?.scope.account).toBe(jperez)
    expect(openHolds(after)[0]?.scope.account).toBeNull()
    expect(after.byId.get(id)?.reasons[0]?.text).toBeNull()
  })
})

describe('an end is believed only when the register bears it out', () => {
  test('with all of it the hold is lifted', () => {
    expect(openHolds(fold(declared(), ...gate, restored).incidents)).toEqual([])
  })

  test.each(gate.map((left, index) => [left.kind, index] as const))('without %s the hold stays', (_, index) => {
    const world = fold(declared(), ...gate.toSpliced(index, 1), restored)
    expect(openHolds(world.incidents)).toHaveLength(1)
    expect(world.incidents.disbelieved).toEqual([{ index: gate.length, incident: id }])
  })

  test('one person twice, or undecided mail, lifts nothing', () => {
    const once = { ...restored, actor: { person: 'ana', role: 'responder' } }
    expect(openHolds(fold(declared(), ...gate, once).incidents)).toHaveLength(1)
    expect(openHolds(fold(declared(), ...gate, { ...restored, facts: { incident: id } }).incidents)).toHaveLength(1)
    const annulled = entry('incident.annulled', { incident: id }, 'berta')
    expect(openHolds(fold(declared(), annulled).incidents)).toHaveLength(1)
    expect(
      openHolds(fold(declared(), entry('incident.annul-approved', { incident: id }, 'berta'), annulled).incidents),
    ).toHaveLength(1)
  })

  test('what comes after the end changes nothing', () => {
    const world = fold(declared(), ...gate, restored)
    const before = world.get(id)
    world.append([
      entry('incident.joined', { incident: id, widened: true }),
      entry('incident.annulled', { incident: id }),
      restored,
    ])
    expect(world.get(id)).toBe(before)
  })

  test('nothing that later entries say brings a withdrawn domain back', () => {
    const world = fold(entry('service.withdrawn', { domain: hcg, grounds: 'ethics', approvedBy: ['berta'] }, 'carla'))
    world.append([declared(), ...gate, restored, entry('service.withdraw-approved', { domain: hcg })])
    expect([...withdrawnDomains(world.incidents).keys()]).toEqual([hcg])
    const once = withdrawnDomains(world.incidents).get(hcg)
    world.append([entry('service.withdrawn', { domain: hcg, grounds: 'security' }, 'berta')])
    expect(withdrawnDomains(world.incidents).get(hcg)).toBe(once)
  })
})

describe('due notices', () => {
  const ids = (world: Case) => world.incidents.due.map(({ id: notice, topic }) => `${notice} ${topic}`)
  const sent = (notice: string, more: NewEntry['facts'] = {}) =>
    entry('notice.sent', { incident: id, notice, topic: 'suspended', audience: 'director', ...more }, 'daemon')

  test('three people hear of a suspension, each until it is on record', () => {
    const world = fold(declared())
    expect(ids(world)).toEqual(['n0-director suspended', 'n0-representative suspended', 'n0-operator suspended'])
    world.append([sent('n0-director'), sent('n0-director')])
    expect(ids(world)).toEqual(['n0-representative suspended', 'n0-operator suspended'])
    expect(world.get(id).notices).toHaveLength(1)
  })

  test('that nobody could be told settles it, and nobody counts as told', () => {
    const world = fold(declared(), sent('n0-director', { nobody: true }))
    expect(ids(world)).not.toContain('n0-director suspended')
    expect(world.get(id).notices).toEqual([])
  })

  test('a drill reaches the operator alone, from its start to its end', () => {
    const approved = entry('incident.annul-approved', { incident: id }, 'ana')
    const world = fold(declared({ drill: true }), approved, entry('incident.annulled', { incident: id }, 'berta'))
    expect(ids(world)).toEqual(['n0-operator suspended', 'n2-operator annulled'])
    expect(world.incidents.due.every(({ drill }) => drill)).toBe(true)
  })

  test('a return goes to the institution; an end that is not believed goes to nobody', () => {
    const world = fold(
      declared(),
      gate[0] as NewEntry,
      entry('report.returned', { incident: id, report: 1 }, 'berta'),
      restored,
    )
    expect(ids(world).slice(3)).toEqual(['n2-director report-returned', 'n2-representative report-returned'])
    expect(world.incidents.due.at(-1)?.report).toBe(1)
  })

  test('a release and a withdrawal are told to all three', () => {
    const world = fold(declared(), ...gate, restored, entry('service.withdrawn', { domain: hcg, grounds: 'ethics' }))
    expect(ids(world).slice(3)).toEqual(
      ['director', 'representative', 'operator']
        .flatMap(who => [`n7-${who} restored`])
        .concat(['director', 'representative', 'operator'].map(who => `n8-${who} withdrawn`)),
    )
  })
})
