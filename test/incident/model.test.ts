/**
 * The invariants of mission section 6 over the whole way back: anybody does anything at any time, the clock is set, the
 * process starts again, old entries are written once more, notices fail. What is right is told here a second time, from
 * the list of entries alone. A seed is printed; SEED repeats a run, MODEL_RUNS takes more of them.
 */
import { expect, test } from 'vitest'
import { dayMs, formatInstant } from '../../agent/core/clock.ts'
import type { ActContext, ActResult } from '../../agent/incident/acting.ts'
import { close, duplicate } from '../../agent/incident/closing.ts'
import { annul, release } from '../../agent/incident/ending.ts'
import { stateOf } from '../../agent/incident/gate.ts'
import { mayGo } from '../../agent/incident/held.ts'
import { applyEntry, emptyIncidents, openHolds } from '../../agent/incident/lifecycle.ts'
import { decideMail, purgeMail } from '../../agent/incident/mail-acts.ts'
import { fileReport, recordAction, reviewReport, verifyAction } from '../../agent/incident/papers.ts'
import { leverEntries, rotate } from '../../agent/incident/recovery.ts'
import { dueStageEntries } from '../../agent/incident/stages.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { type Hold, levers } from '../../agent/model/incident.ts'
import type { Stored } from '../../agent/register/register.ts'
import { scopeTest } from '../../agent/standards/hold-scope.ts'
import { chooseSeed, createRandom, type Random } from '../decision/generate.ts'
import { Case, contextOf, digestA, digestB, hcg, jperez, reportFields, start } from './fixture.ts'
import { faults, faultsOfRelease, openedBy } from './right.ts'

const hourMs = 3_600_000
const people = ['ana', 'rosa', 'berta', 'carla', 'saul', 'gema', 'aida', 'local:ana', 'local:root', 'stranger'] as const
const daemon = { person: 'daemon', role: 'daemon' }
const authors = ['Luis Mora', 'Luis Mora', 'ana', 'Berta']
const messages = [1, 2].map(n => ({ host: 'mx1', id: `4abc${n}`, arrivedAt: start + n }))
const terms = {
  none: { nationalAfterMs: 0, internationalAfterMs: 0, probationMs: 0, probationPercent: 50 },
  staged: { nationalAfterMs: 2 * hourMs, internationalAfterMs: 3 * hourMs, probationMs: dayMs, probationPercent: 50 },
}

type World = {
  readonly world: Case
  readonly random: Random
  readonly waits: keyof typeof terms
  readonly heldMail: 'none' | 'undecided'
  at: number
}

type Acting = (world: World, id: string, context: ActContext) => ActResult
const acts: Readonly<Record<string, Acting>> = {
  suspend: ({ world, random }, _, context) => {
    const scope = random.chance(0.7) ? hcg : jperez
    const only = random.chance(0.2) ? { only: ['send'] } : {}
    const kind = random.pick(['spam', 'phishing'])
    const drill = random.chance(0.1)
    const liveDrill = !drill && random.chance(0.1)
    const args = { scope, reason: 'r', class: kind, drill, liveDrill, ...only }
    return suspend(world.incidents, args, { ...context, isTestDomain: () => true })
  },
  report: ({ world, random }, id, context) =>
    fileReport(
      world.incidents,
      { incident: id, fields: reportFields(id, random.pick(authors)), document: digestA },
      context,
    ),
  accept: ({ world }, id, context) => reviewReport(world.incidents, { incident: id, result: 'accepted' }, context),
  giveBack: ({ world }, id, context) =>
    reviewReport(world.incidents, { incident: id, result: 'returned', points: 'p' }, context),
  action: ({ world, random }, id, context) =>
    recordAction(
      world.incidents,
      { incident: id, what: 'w', who: random.pick(authors), day: '2026-06-30', evidence: digestB },
      context,
    ),
  verify: ({ world, random }, id, context) =>
    verifyAction(world.incidents, { incident: id, action: 1 + random.below(2) }, context),
  rotate: ({ world }, id, context) =>
    rotate(world.incidents, { incident: id, proof: { expected: 1, rotated: 1 } }, context),
  mail: ({ world, random }, id, context) => {
    const some = random.chance(0.5) ? { choice: { rule: {}, messages: [random.pick(messages)] } } : {}
    return decideMail(world.incidents, { incident: id, decision: random.pick(['keep', 'release']), ...some }, context)
  },
  purge: ({ world }, id, context) => {
    const seen = messages.map(one => ({ ...one, bytes: 1, sender: jperez, recipients: [], headers: digestA }))
    return purgeMail(world.incidents, { incident: id, seen, rule: {} }, context)
  },
  release: ({ world }, id, context) => release(world.incidents, { incident: id }, context),
  annul: ({ world }, id, context) => annul(world.incidents, { incident: id, reason: 'r' }, context),
  duplicate: ({ world, random }, id, context) =>
    duplicate(world.incidents, { incident: id, of: random.pick(['INC-2026-0001', 'INC-2026-0002']) }, context),
  ofAccount: ({ world }, _, context) =>
    suspend(world.incidents, { scope: jperez, reason: 'r', class: 'phishing', drill: false }, context),
  ofDomain: ({ world }, _, context) =>
    suspend(world.incidents, { scope: hcg, reason: 'r', class: 'spam', drill: false }, context),
  duplicateFirst: ({ world }, _, context) =>
    duplicate(world.incidents, { incident: 'INC-2026-0001', of: 'INC-2026-0002' }, context),
  close: ({ world }, id, context) => close(world.incidents, { incident: id, lessons: { text: 'l' } }, context),
}

/** Nearly the right way, so that runs get somewhere: who usually does what, in its order. */
const usual: readonly (readonly [string, string])[] = [
  ['suspend', 'saul'],
  ['report', 'gema'],
  ['accept', 'carla'],
  ['action', 'gema'],
  ['verify', 'rosa'],
  ['rotate', 'saul'],
  ['mail', 'rosa'],
  ['release', 'rosa'],
  ['release', 'carla'],
]

/** `time`: days pass, stages open, notices go out. */
const ways: readonly (readonly (readonly [string, string])[])[] = [
  usual,
  [...usual, ['time', ''], ['time', ''], ['mail', 'rosa'], ['close', 'ana'], ['release', 'rosa']],
  [...usual, ['suspend', 'ana'], ['time', ''], ['rotate', 'saul'], ['mail', 'ana'], ...usual.slice(-2)],
  [...usual.slice(0, -2), ['purge', 'rosa'], ['purge', 'carla']],
  [usual[0] ?? ['', ''], ['annul', 'rosa'], ['annul', 'carla']],
  [
    ['ofAccount', 'saul'],
    ['ofDomain', 'saul'],
    ['duplicateFirst', 'rosa'],
  ],
]

function isWhole(hold: Hold, own: readonly Stored[]): boolean {
  const declared = own.find(({ kind }) => kind === 'incident.declared')?.facts['levers'] as readonly string[]
  return hold.cap === undefined && declared.every(lever => hold.levers.includes(lever as never))
}

const ends = new Map<string, number>()
const seen = (what: string) => ends.set(what, (ends.get(what) ?? 0) + 1)

/** Every invariant, after every step. `believed`: entries that were written by acts and the daemon, not by the forger. */
function check({ world, heldMail }: World, before: readonly Hold[], fresh: readonly Stored[], forged: boolean): void {
  const holds = openHolds(world.incidents)
  for (const incident of world.incidents.byId.values()) {
    const own = world.entries.filter(({ facts, index }) => facts['incident'] === incident.id && !forgeries.has(index))
    const hold = holds.find(one => one.incident === incident.id)
    const opened = openedBy(own)
    if (incident.drill || incident.liveDrill) {
      const told = world.incidents.due.filter(due => due.incident === incident.id)
      expect(told.every(({ audience, drill }) => audience === 'operator' && drill)).toBe(true)
    }
    if (incident.drill) {
      expect(hold).toBeUndefined()
      continue
    }
    // A live one holds and is released like any other.
    if (incident.liveDrill) seen('live drill')
    if (opened === 'all') expect(hold).toBeUndefined()
    else if (opened === 'nothing') expect(hold !== undefined && isWhole(hold, own)).toBe(true)
    else if (hold !== undefined) expect(hold.cap).toBe(opened)
    // `contained` and what follows is never reported before every probe.
    if (incident.ended === null && incident.release === null) {
      const isProbed = incident.levers.every(lever => incident.progress.get(lever) === 'verified')
      expect(stateOf(incident, heldMail) === 'containing').toBe(!isProbed)
    }
    // No message leaves that somebody kept by name, or before the end.
    for (const message of messages) {
      const addressed = { ...message, sender: jperez, recipients: [] }
      const inScope = (one: Hold) => scopeTest(one.scope)
      const facts = { host: 'mx1', incidents: world.incidents, owners: [incident.id], holds, inScope }
      if (!mayGo(addressed, facts)) continue
      expect(opened).toBe('all')
      expect(incident.messages.get(`${message.host} ${message.id} ${message.arrivedAt}`)).not.toBe('keep')
      seen('message may go')
    }
  }
  for (const entry of fresh) {
    expect(entry.actor.person).not.toBe('')
    expect(entry.at).toMatch(/^\d{4}-.*Z$/)
    if (forged) continue
    const own = world.entries.filter(({ facts, index }) => facts['incident'] === entry.subject && !forgeries.has(index))
    const isDaemon = entry.actor.person === 'daemon'
    if (entry.kind === 'release.ordered' || (entry.kind === 'service.restored' && !isDaemon))
      expect(faultsOfRelease(own, entry, heldMail === 'undecided')).toEqual([])
    if (entry.kind === 'incident.annulled') expect(faults(own, entry, 'incident.annul-approved')).toEqual([])
    if (entry.kind === 'mail.purge-ordered') expect(faults(own, entry, 'mail.purge-approved')).toEqual([])
    if (entry.kind === 'release.stage' || (entry.kind === 'service.restored' && isDaemon)) {
      const ordered = own.findLast(({ kind }) => kind === 'release.ordered')
      const earlier = own.findLast(({ kind, index }) => /release\.(ordered|stage)/.test(kind) && index < entry.index)
      const wait = { national: 'nationalAfter', international: 'internationalAfter' }[String(entry.facts['stage'])]
      const waited = Date.parse(entry.at) - Date.parse(earlier?.at ?? '')
      expect(waited).toBeGreaterThanOrEqual(wait === undefined ? 0 : Number(ordered?.facts[wait]) * 1000)
    }
    if (/service\.restored|release\.ordered|annulled|duplicate|closed|purge-ordered/.test(entry.kind)) seen(entry.kind)
  }
  if (forged) expect(holds).toEqual(before)
}

let forgeries = new Set<number>()

function step(run: World): void {
  const { world, random } = run
  const before = openHolds(world.incidents)
  const size = world.entries.length
  const roll = random.below(100)
  let forged = false
  if (roll < 8) run.at += random.pick([-2 * dayMs, -hourMs, hourMs, 3 * hourMs, dayMs])
  else if (roll < 14) {
    // The process starts again: all that it knows is the register.
    expect(world.entries.reduce(applyEntry, emptyIncidents)).toEqual(world.incidents)
  } else if (roll < 22) {
    // What once ended something is written once more, by whoever got at the register.
    const old = world.entries.filter(({ kind }) => /ordered|stage|restored|annulled|duplicate/.test(kind))
    if (old.length > 0) {
      const { index: _, commitment: __, personal, ...entry } = random.pick(old)
      forged = true
      // An approval that stands makes such an entry the second person's own word: that is no forgery.
      const incident = world.incidents.byId.get(entry.subject)
      const stands = Object.values(incident?.approvals ?? {}).some(one => one?.digest === entry.facts['digest'])
      const inTime = incident?.release != null || entry.kind === 'incident.duplicate'
      if (!stands && !inTime) {
        forgeries.add(size)
        world.append([personal === null ? entry : { ...entry, personal }])
      }
    }
  } else if (roll < 30) {
    const incident = random.pick([...world.incidents.byId.keys(), 'INC-2026-0001'])
    const state = random.pick(['applied', 'verified', 'verified', 'verified', 'failed'] as const)
    const found = levers.map(lever => ({ incident, lever, state }))
    world.append(leverEntries(world.incidents, found, { actor: daemon, at: run.at }))
  } else if (roll < 36) {
    const due = random.pick([...world.incidents.due, undefined])
    const facts = { incident: due?.incident ?? null, notice: due?.id ?? 'n9', nobody: random.chance(0.5) }
    const kind = random.pick(['notice.sent', 'notice.printed'])
    world.append([{ kind, actor: daemon, at: formatInstant(run.at), subject: 'n', rule: 'S38', facts }])
    expect(openHolds(world.incidents)).toEqual(before)
  } else if (roll < 48) world.append(dueStageEntries(world.incidents, { actor: daemon, at: run.at }))
  else {
    run.at += 60_000
    const ids = [...world.incidents.byId.keys()]
    const id = random.chance(0.8) ? (ids.at(-1) ?? 'INC-2026-0001') : random.pick(['INC-2026-0001', ...ids])
    const [act, person] = random.chance(0.7)
      ? [usual[run.world.entries.length === 0 ? 0 : random.below(usual.length)]?.[0] ?? 'suspend', usualPerson(random)]
      : [random.pick(Object.keys(acts)), random.pick(people)]
    const context = contextOf(person, { at: run.at, terms: terms[run.waits], heldMailOf: () => run.heldMail })
    const result = world.do((acts[act] as Acting)(run, id, context))
    if (!result.ok || result.entries.length === 0) expect(world.entries).toHaveLength(size)
    if (/^(?:suspend|of)/.test(act) && ['ana', 'rosa', 'berta', 'carla', 'saul', 'local:root'].includes(person))
      expect(result.ok).toBe(true)
    if (!context.token && !/^(?:suspend|of)/.test(act)) expect(result.ok).toBe(false)
  }
  check(run, before, world.entries.slice(size), forged)
}

function usualPerson(random: Random): string {
  return random.pick(['rosa', 'carla', 'gema', 'saul', 'carla', 'rosa'])
}

/** A way from its beginning to its end, with chance between its steps. */
function straight(run: World): void {
  for (const [act, person] of run.random.pick(ways)) {
    if (run.random.chance(0.25)) step(run)
    if (run.random.chance(0.05)) continue
    const before = openHolds(run.world.incidents)
    const size = run.world.entries.length
    run.at += 60_000
    if (act === 'time') {
      run.at += 2 * dayMs
      run.world.append(dueStageEntries(run.world.incidents, { actor: daemon, at: run.at }))
      run.world.append(
        run.world.incidents.due.map(({ id: notice, incident }) => {
          const facts = { incident, notice, topic: 't', audience: 'operator' }
          return { kind: 'notice.sent', actor: daemon, at: formatInstant(run.at), subject: 'n', rule: 'S38', facts }
        }),
      )
      check(run, before, run.world.entries.slice(size), false)
      continue
    }
    const id = [...run.world.incidents.byId.keys()].at(-1) ?? 'INC-2026-0001'
    const context = contextOf(person, { at: run.at, terms: terms[run.waits], heldMailOf: () => run.heldMail })
    run.world.do((acts[act] as Acting)(run, id, context))
    check(run, before, run.world.entries.slice(size), false)
  }
}

test('no invariant breaks, whoever does what, in whatever order, at whatever time', () => {
  const seed = chooseSeed()
  const random = createRandom(seed)
  const runs = Number(process.env.MODEL_RUNS ?? 2_000)
  for (let number = 0; number < runs; number += 1) {
    forgeries = new Set()
    const run: World = {
      world: new Case(),
      random,
      waits: random.pick(['none', 'staged', 'staged']),
      heldMail: random.pick(['none', 'undecided'] as const),
      at: start,
    }
    if (random.chance(0.7)) straight(run)
    for (let more = random.below(20); more > 0; more -= 1) step(run)
    expect(run.world.entries.reduce(applyEntry, emptyIncidents)).toEqual(run.world.incidents)
  }
  // Runs that never get anywhere would show nothing.
  for (const kind of [
    'live drill',
    'service.restored',
    'release.ordered',
    'incident.annulled',
    'incident.duplicate',
    'incident.closed',
    'mail.purge-ordered',
    'message may go',
  ])
    expect([kind, (ends.get(kind) ?? 0) > runs / 1_000]).toEqual([kind, true])
})
