/**
 * The invariants of mission section 6, over random sequences of acts by anybody and over random entries. What they are
 * held against is written here a second time, from the list of entries alone, and shares nothing with the gate.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dayMs } from '../../agent/core/clock.ts'
import type { ActContext, ActResult } from '../../agent/incident/acting.ts'
import { annul, release, withdraw } from '../../agent/incident/ending.ts'
import { stateOf } from '../../agent/incident/gate.ts'
import type { Incidents } from '../../agent/incident/incident.ts'
import { applyEntry, emptyIncidents, openHolds, withdrawnDomains } from '../../agent/incident/lifecycle.ts'
import { decideMail } from '../../agent/incident/mail-acts.ts'
import { fileReport, recordAction, reviewReport, verifyAction } from '../../agent/incident/papers.ts'
import { leverEntries, rotate } from '../../agent/incident/recovery.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { levers } from '../../agent/model/incident.ts'
import type { NewEntry, Stored } from '../../agent/register/register.ts'
import { Case, contextOf, digestA, hcg, jperez, reportFields, staff, start, store } from './fixture.ts'

const people = ['ana', 'rosa', 'berta', 'carla', 'saul', 'gema', 'aida', 'local:ana', 'local:root', 'stranger'] as const
const authors = ['Luis Mora', 'ana', 'Berta', 'rosa'] as const
const ids = ['INC-2026-0001', 'INC-2026-0002'] as const

type Step = {
  readonly act: keyof typeof doing
  readonly who: (typeof people)[number]
  readonly id: (typeof ids)[number]
  readonly n: number
  readonly author: (typeof authors)[number]
  /** Milliseconds since the step before; a clock may also go back. */
  readonly later: number
}

const doing = {
  suspendDomain: (i: Incidents, _: Step, c: ActContext) =>
    suspend(i, { scope: hcg, reason: 'r', class: 'spam', drill: false }, c),
  suspendAccount: (i: Incidents, _: Step, c: ActContext) =>
    suspend(i, { scope: jperez, reason: 'r', class: 'spam', only: ['send'], drill: false }, c),
  drill: (i: Incidents, _: Step, c: ActContext) =>
    suspend(i, { scope: hcg, reason: 'r', class: 'test', drill: true }, c),
  report: (i: Incidents, { id, author }: Step, c: ActContext) =>
    fileReport(i, { incident: id, fields: reportFields(id, author), document: digestA }, c),
  accept: (i: Incidents, { id }: Step, c: ActContext) => reviewReport(i, { incident: id, result: 'accepted' }, c),
  giveBack: (i: Incidents, { id }: Step, c: ActContext) =>
    reviewReport(i, { incident: id, result: 'returned', points: 'p' }, c),
  action: (i: Incidents, { id, author }: Step, c: ActContext) =>
    recordAction(i, { incident: id, what: 'w', who: author, day: '2026-06-30', evidence: digestA }, c),
  verify: (i: Incidents, { id, n }: Step, c: ActContext) => verifyAction(i, { incident: id, action: n }, c),
  rotate: (i: Incidents, { id }: Step, c: ActContext) =>
    rotate(i, { incident: id, proof: { expected: 1, rotated: 1 } }, c),
  mail: (i: Incidents, { id }: Step, c: ActContext) => decideMail(i, { incident: id, decision: 'keep' }, c),
  release: (i: Incidents, { id }: Step, c: ActContext) => release(i, { incident: id }, c),
  annul: (i: Incidents, { id }: Step, c: ActContext) => annul(i, { incident: id, reason: 'r' }, c),
  withdraw: (i: Incidents, _: Step, c: ActContext) => withdraw(i, { domain: hcg, grounds: 'ethics', reason: '' }, c),
} as const satisfies Record<string, (incidents: Incidents, step: Step, context: ActContext) => ActResult>

/** The straight ways to each end; chance leaves steps out, repeats them, and puts others between. */
const straights: readonly (readonly Partial<Step>[])[] = [
  [
    { act: 'suspendDomain', who: 'saul' },
    { act: 'report', who: 'gema', author: 'Luis Mora' },
    { act: 'accept', who: 'berta' },
    { act: 'action', who: 'gema', author: 'Luis Mora' },
    { act: 'verify', who: 'ana', n: 1 },
    { act: 'rotate', who: 'saul' },
    { act: 'mail', who: 'ana' },
    { act: 'release', who: 'ana' },
    { act: 'release', who: 'carla' },
  ],
  [
    { act: 'suspendAccount', who: 'ana' },
    { act: 'report', who: 'rosa', author: 'Berta' },
    { act: 'accept', who: 'carla' },
    { act: 'action', who: 'rosa', author: 'ana' },
    { act: 'verify', who: 'berta', n: 1 },
    { act: 'rotate', who: 'ana' },
    { act: 'mail', who: 'ana' },
    { act: 'suspendDomain', who: 'berta' },
    { act: 'rotate', who: 'ana' },
    { act: 'mail', who: 'ana' },
    { act: 'release', who: 'rosa' },
    { act: 'release', who: 'carla' },
  ],
  // To be refused at the last step: the second person wrote the report.
  [
    { act: 'suspendDomain', who: 'saul' },
    { act: 'report', who: 'gema', author: 'Berta' },
    { act: 'accept', who: 'carla' },
    { act: 'action', who: 'gema', author: 'Luis Mora' },
    { act: 'verify', who: 'ana', n: 1 },
    { act: 'rotate', who: 'saul' },
    { act: 'mail', who: 'ana' },
    { act: 'release', who: 'ana' },
    { act: 'release', who: 'berta' },
  ],
  [
    { act: 'suspendDomain', who: 'local:root' },
    { act: 'annul', who: 'ana' },
    { act: 'annul', who: 'berta' },
  ],
  [
    { act: 'suspendDomain', who: 'local:root' },
    { act: 'withdraw', who: 'berta' },
    { act: 'withdraw', who: 'carla' },
  ],
]

const anyStep: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(...(Object.keys(doing) as (keyof typeof doing)[])),
  who: fc.constantFrom(...people),
  id: fc.constantFrom(...ids),
  n: fc.integer({ min: 0, max: 2 }),
  author: fc.constantFrom(...authors),
  later: fc.oneof(
    { weight: 5, arbitrary: fc.constant(60_000) },
    { weight: 1, arbitrary: fc.constantFrom(-3_600_000, dayMs, 2 * dayMs) },
  ),
})

const nearly = (straight: readonly Partial<Step>[]): fc.Arbitrary<Step[]> =>
  fc
    .tuple(
      ...straight.map(fixed =>
        fc
          .tuple(fc.array(anyStep, { maxLength: 1 }), fc.integer({ min: 0, max: 9 }), anyStep)
          .map(([between, luck, step]) => {
            const kept =
              luck === 0
                ? []
                : luck === 1
                  ? [{ ...step, act: fixed.act ?? step.act }]
                  : [{ ...step, id: ids[0], later: 60_000, ...fixed }]
            return luck < 4 ? [...between, ...kept] : kept
          }),
      ),
    )
    .map(parts => parts.flat())

const anySteps = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(...straights.map(nearly)) },
  { weight: 1, arbitrary: fc.array(anyStep, { maxLength: 40 }) },
)

const isMe = (a: string, b: string) => a.replace('local:', '').toLowerCase() === b.replace('local:', '').toLowerCase()

/** Why a release at the end of these entries should not have been; empty when it was right. Judged from entries alone. */
function faultsOfRelease(entries: readonly Stored[], id: string, hasHeldMail: boolean): string[] {
  const own = entries.filter(({ facts }) => facts['incident'] === id)
  const second = own.at(-1) as Stored
  const last = (kind: string) => own.findLast(entry => entry.kind === kind)
  const faults: string[] = []
  const report = last('report.received')
  const accepted = last('report.accepted')
  if (report === undefined || accepted?.facts['report'] !== report.facts['report']) faults.push('report')
  if (last('action.verified') === undefined) faults.push('action')
  const widened =
    own.findLast(({ kind, facts }) => kind === 'incident.joined' && facts['widened'] === true)?.index ?? -1
  if ((last('secrets.rotated')?.index ?? -1) <= widened) faults.push('rotation')
  if (hasHeldMail && (last('mail.decided')?.index ?? -1) <= widened) faults.push('mail')
  const first = last('release.approved')
  if (first === undefined) return [...faults, 'first']
  if (isMe(first.actor.person, second.actor.person)) faults.push('one person')
  if (Date.parse(second.at) - Date.parse(first.at) >= dayMs) faults.push('old approval')
  // The same decision on mail, taken once more, is what the first person saw.
  const mailBefore = (end: number) =>
    own.findLast(({ index, kind }) => kind === 'mail.decided' && index < end)?.facts['decision']
  const sameMail = mailBefore(first.index) === mailBefore(second.index)
  const between = own.filter(
    ({ index, kind }) =>
      index > first.index &&
      index < second.index &&
      !kind.startsWith('incident.annul') &&
      kind !== 'secrets.rotated' &&
      !(kind === 'mail.decided' && sameMail),
  )
  if (between.length > 0) faults.push(`changed: ${between.map(({ kind }) => kind)}`)
  const authorsOf = own
    .filter(({ kind }) => kind === 'report.received')
    .map(({ personal }) => String(personal?.['author']))
  for (const { actor } of [first, second])
    if (authorsOf.some(author => isMe(author, actor.person))) faults.push('author')
  const declarer = own.find(({ kind }) => kind === 'incident.declared')?.actor.person ?? ''
  if (isMe(declarer, second.actor.person)) faults.push('declarer')
  const role = (person: string) => staff.find(({ name }) => name === person)?.role
  if (role(first.actor.person) !== 'responder' || role(second.actor.person) !== 'security-lead') faults.push('roles')
  return faults
}

const seenEnds = new Map<string, number>()

function play(
  steps: readonly Step[],
  heldMail: 'none' | 'undecided',
  after: (world: Case, before: Incidents, step: Step, result: ActResult) => void,
): Case {
  const world = new Case()
  let at = start
  for (const step of steps) {
    at += step.later
    const before = world.incidents
    const result = world.do(doing[step.act](before, step, contextOf(step.who, { at, heldMailOf: () => heldMail })))
    after(world, before, step, result)
  }
  return world
}

const heldMails = fc.constantFrom('none', 'undecided')
const runs = { numRuns: 2_000 }

describe('acts by anybody, in any order', () => {
  test('no hold is lifted but through the gate, and no withdrawn domain comes back', () => {
    fc.assert(
      fc.property(anySteps, heldMails, (steps, heldMail) => {
        play(steps, heldMail, (world, before) => {
          const now = new Set(openHolds(world.incidents).map(({ incident }) => incident))
          for (const { incident } of openHolds(before)) {
            if (now.has(incident)) continue
            const kind = world.entries.at(-1)?.kind ?? ''
            seenEnds.set(kind, (seenEnds.get(kind) ?? 0) + 1)
            if (kind === 'service.restored')
              expect(faultsOfRelease(world.entries, incident, heldMail === 'undecided')).toEqual([])
            else expect(kind).toBe('incident.annulled')
          }
          if (withdrawnDomains(world.incidents).size > withdrawnDomains(before).size)
            seenEnds.set('service.withdrawn', (seenEnds.get('service.withdrawn') ?? 0) + 1)
          for (const domain of withdrawnDomains(before).keys())
            expect(withdrawnDomains(world.incidents).has(domain)).toBe(true)
          expect(world.incidents.disbelieved).toEqual([])
        })
      }),
      runs,
    )
    // A property over sequences that never get to an end would show nothing.
    expect(seenEnds.get('service.restored') ?? 0).toBeGreaterThan(50)
    expect(seenEnds.get('incident.annulled') ?? 0).toBeGreaterThan(50)
    expect(seenEnds.get('service.withdrawn') ?? 0).toBeGreaterThan(50)
  })

  test('a scope or its levers shrink only when the incident ends', () => {
    fc.assert(
      fc.property(anySteps, steps => {
        play(steps, 'none', (world, before) => {
          for (const incident of before.byId.values()) {
            const now = world.get(incident.id)
            expect(incident.levers.every(lever => now.levers.includes(lever))).toBe(true)
            if (incident.scope.account === null) expect(now.scope.account).toBeNull()
          }
        })
      }),
      runs,
    )
  })

  test('whoever may suspend suspends at once and alone; an end always takes an earlier entry of another person', () => {
    fc.assert(
      fc.property(anySteps, steps => {
        const world = play(steps, 'none', (after, before, step, result) => {
          if (step.act !== 'suspendDomain' || before.withdrawals.has(hcg)) return
          expect(result.ok).toBe(!['gema', 'aida', 'stranger'].includes(step.who))
          if (result.ok)
            expect(openHolds(after.incidents).some(({ scope }) => scope.domain === hcg && scope.account === null)).toBe(
              true,
            )
        })
        const pairs = {
          'service.restored': 'release.approved',
          'incident.annulled': 'incident.annul-approved',
          'service.withdrawn': 'service.withdraw-approved',
        } as const
        for (const entry of world.entries) {
          if (!(entry.kind in pairs)) continue
          const first = world.entries.findLast(
            ({ kind, subject, index }) =>
              kind === pairs[entry.kind as keyof typeof pairs] && subject === entry.subject && index < entry.index,
          )
          expect(first && !isMe(first.actor.person, entry.actor.person)).toBe(true)
        }
      }),
      runs,
    )
  })

  test('whoever has no token does nothing but suspend; auditors and strangers do nothing', () => {
    fc.assert(
      fc.property(anySteps, steps => {
        const world = play(steps, 'none', () => {})
        for (const { actor, kind } of world.entries) {
          expect(['aida', 'stranger']).not.toContain(actor.person)
          if (actor.person.startsWith('local:')) expect(['incident.declared', 'incident.joined']).toContain(kind)
        }
      }),
      runs,
    )
  })

  test('every transition is an entry with actor, instant and rule; a refusal changes nothing', () => {
    fc.assert(
      fc.property(anySteps, steps => {
        play(steps, 'none', (world, before, step, result) => {
          if (!result.ok || result.entries.length === 0) expect(world.incidents).toBe(before)
          for (const entry of result.ok ? result.entries : []) {
            expect(entry.actor.person).toBe(step.who)
            expect(entry.at).toMatch(/^\d{4}-.*Z$/)
            expect(entry.rule).toMatch(/^[SD]\d/)
          }
        })
      }),
      runs,
    )
  })

  test('a drill is never a hold and never joins one', () => {
    fc.assert(
      fc.property(anySteps, steps => {
        const world = play(steps, 'none', (after, before, step) => {
          if (step.act === 'drill') expect(openHolds(after.incidents)).toEqual(openHolds(before))
        })
        for (const { incident } of openHolds(world.incidents)) expect(world.get(incident).drill).toBe(false)
        for (const due of world.incidents.due) if (due.drill) expect(due.audience).toBe('operator')
      }),
      runs,
    )
  })

  test('no public fact names an account, an author or a reason', () => {
    fc.assert(
      fc.property(anySteps, steps => {
        const world = play(steps, 'none', () => {})
        expect(JSON.stringify(world.entries.map(({ facts, subject }) => [facts, subject]))).not.toMatch(
          /jperez|Luis|Marta|correo/,
        )
      }),
      { numRuns: 300 },
    )
  })
})

const kinds = [
  'incident.declared',
  'incident.joined',
  'suspension.lever',
  'report.received',
  'report.accepted',
  'report.returned',
  'action.recorded',
  'action.verified',
  'secrets.rotated',
  'mail.decided',
  'release.approved',
  'service.restored',
  'incident.annul-approved',
  'incident.annulled',
  'service.withdraw-approved',
  'service.withdrawn',
  'notice.sent',
  'notice.printed',
  'apply.completed',
  'constructor',
  '__proto__',
] as const

const odd = fc.oneof(fc.constantFrom(null, 0, 1, -1, true, '', 'x', '__proto__', []), fc.jsonValue())
const maybe = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: arbitrary as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: odd })

/** Entries as no act would write them: any kind, any person, any facts. */
const anyEntry: fc.Arbitrary<NewEntry> = fc
  .record({
    kind: fc.constantFrom(...kinds),
    person: fc.constantFrom('ana', 'berta', 'local:ana'),
    facts: fc.record({
      incident: maybe(fc.constantFrom(...ids)),
      class: maybe(fc.constant('spam')),
      scope: maybe(fc.constantFrom('domain', 'account')),
      levers: maybe(fc.subarray([...levers])),
      addedLevers: maybe(fc.subarray([...levers])),
      lever: maybe(fc.constantFrom(...levers)),
      state: maybe(fc.constantFrom('applied', 'verified', 'failed')),
      drill: maybe(fc.constant(false)),
      widened: maybe(fc.boolean()),
      report: maybe(fc.integer({ min: 0, max: 3 })),
      action: maybe(fc.integer({ min: 0, max: 3 })),
      decision: maybe(fc.constantFrom('keep', 'release')),
      mail: maybe(fc.constant('none')),
      notice: maybe(fc.constantFrom('n0-director', 'n1-operator')),
    }),
    personal: fc.option(fc.record({ account: maybe(fc.constant(jperez as string)), reason: odd }), { nil: undefined }),
  })
  .map(({ kind, person, facts, personal }) => {
    const entry = {
      kind,
      actor: { person, role: 'x' },
      at: '2026-07-01T15:00:00.000Z',
      subject: 's',
      facts: { ...facts, domain: hcg },
    }
    return (personal === undefined ? entry : { ...entry, personal }) as NewEntry
  })

/** What a release rests on, in its order; chance leaves out what it likes. */
const chain: readonly NewEntry[] = (
  [
    ['incident.declared', 'ana', { scope: 'domain', levers: [...levers], drill: false }],
    ['report.received', 'ana', { report: 1 }],
    ['report.accepted', 'berta', { report: 1 }],
    ['action.recorded', 'ana', { action: 1 }],
    ['action.verified', 'berta', { action: 1 }],
    ['secrets.rotated', 'ana', { secrets: 1 }],
    ['mail.decided', 'ana', { decision: 'keep' }],
    ['release.approved', 'ana', {}],
    ['service.restored', 'berta', {}],
  ] as const
).map(([kind, person, facts]) => ({
  kind,
  actor: { person, role: 'x' },
  at: '2026-07-01T15:00:00.000Z',
  subject: 's',
  facts: { ...facts, incident: ids[0], domain: hcg },
}))

const partOfChain = fc
  .tuple(...chain.map(entry => fc.integer({ min: 0, max: 7 }).map(luck => (luck === 0 ? [] : [entry]))))
  .map(parts => parts.flat())
const anyEntries = fc.oneof(
  fc.array(anyEntry, { maxLength: 60 }),
  fc
    .tuple(partOfChain, fc.array(anyEntry, { maxLength: 3 }), fc.nat(9))
    .map(([part, others, at]) => part.toSpliced(at, 0, ...others)),
)

describe('entries of any kind, in any order', () => {
  test('the fold bears them; a hold goes only after report, action, rotation, mail and two people, or two to annul', () => {
    fc.assert(
      fc.property(anyEntries, entries => {
        const stored = entries.map(store)
        let incidents = emptyIncidents
        stored.forEach((entry, index) => {
          const before = openHolds(incidents)
          incidents = applyEntry(incidents, entry)
          const gone = before.filter(hold => !openHolds(incidents).some(({ incident }) => incident === hold.incident))
          for (const { incident } of gone) {
            const own = stored.slice(0, index + 1).filter(({ facts }) => facts['incident'] === incident)
            const had = (kind: string) => own.some(one => one.kind === kind)
            const another = (kind: string) =>
              own.some(one => one.kind === kind && !isMe(one.actor.person, entry.actor.person))
            if (entry.kind === 'service.restored')
              expect(
                had('report.accepted') &&
                  had('action.verified') &&
                  had('secrets.rotated') &&
                  another('release.approved') &&
                  (entry.facts['mail'] === 'none' || had('mail.decided')),
              ).toBe(true)
            else expect(entry.kind === 'incident.annulled' && another('incident.annul-approved')).toBe(true)
          }
        })
      }),
      runs,
    )
  })

  test('folding in two halves equals folding at once, and leaves the first half as it was', () => {
    fc.assert(
      fc.property(anyEntries, fc.nat(60), (entries, cut) => {
        const stored = entries.map(store)
        const half = stored.slice(0, cut).reduce(applyEntry, emptyIncidents)
        const copy = structuredClone(half)
        const whole = stored.slice(cut).reduce(applyEntry, half)
        expect(half).toEqual(copy)
        expect(whole).toEqual(stored.reduce(applyEntry, emptyIncidents))
        expect(emptyIncidents.byId.size + emptyIncidents.due.length).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('contained, and all that comes after it, is never reported before every probe', () => {
    fc.assert(
      fc.property(anyEntries, entries => {
        const incidents = entries.map(store).reduce(applyEntry, emptyIncidents)
        for (const incident of incidents.byId.values()) {
          if (incident.drill || incident.ended !== null) continue
          const probed = incident.levers.every(lever => incident.progress.get(lever) === 'verified')
          expect(stateOf(incident, 'none') === 'containing').toBe(!probed)
        }
      }),
      runs,
    )
  })

  test('a probe never ends anything', () => {
    const world = new Case()
    world.do(suspend(world.incidents, { scope: hcg, reason: 'r', class: 'spam', drill: false }, contextOf('ana')))
    const by = { actor: { person: 'daemon', role: 'daemon' }, at: start }
    for (const lever of levers)
      world.append(leverEntries(world.incidents, [{ incident: ids[0], lever, state: 'verified' }], by))
    expect(openHolds(world.incidents)).toHaveLength(1)
  })
})
