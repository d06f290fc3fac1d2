/**
 * What every provider must do, whatever stands behind it: reach each desired state so that the next comparison is
 * empty, be harmless when repeated, give way to third parties, and say truthfully what became of each change.
 * It asserts states of the system, never calls. Run it over embedded providers and real servers alike.
 *
 * A provider's own test file calls `testProvider` once; `open` gives a new, empty system each time.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import { formatRef, type Resource, refOf } from '../../agent/model/resource.ts'
import { order } from '../../agent/plan/order.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { Observed, Provider } from '../../providers/provider.ts'

export type Opened<R extends Resource> = {
  readonly provider: Provider<R>
  /**
   * Writes behind the provider's back, over another connection. What is new gets no mark, what stands keeps the mark
   * that it has, as with an edit by hand. Null removes the object.
   */
  readonly writeBehind: (resource: R, value: R | null) => Promise<void>
  /** Ends the system and removes its files. The suite disposes of the provider itself. */
  readonly close: () => Promise<void>
}

export type Sample<R extends Resource> = {
  /** Whole desired states to walk in order, after an empty one and before an empty one. At least two, one object of which is edited. */
  readonly states: readonly (readonly R[])[]
  /** Objects of third parties. No state has them, and no state's removal depends on them. */
  readonly foreign: readonly R[]
  /** What a third party would make of an object: always another value than the one given, under the same key; undefined when it cannot be edited. */
  readonly edit: (resource: R) => R | undefined
}

export const conformanceTests = [
  'canonical is idempotent and leaves a canonical object as it is',
  'every state is reached, and the next comparison is empty',
  'every object carries the mark that it was given',
  'applying the same changes twice is harmless',
  'there is one outcome for each change',
  "a third party's edit before an update is a conflict and survives",
  "a third party's edit before a delete is a conflict and survives",
  "a third party's object in the place of a new one is a conflict and survives",
  'one conflict does not stop the neighbours',
  'an object that a third party removed is created anew',
  'foreign objects are observed without a mark of ours and survive everything',
  "a third party's object is adopted as it stands, and not when it was edited since",
  'an abort before the start leaves everything undone',
  'an abort in the middle leaves what the outcomes say',
  'a scope shows the same objects as the whole',
  'what was applied stands after the provider is opened again',
] as const
export type ConformanceTest = (typeof conformanceTests)[number]

export type ConformanceCase<R extends Resource> = {
  readonly name: string
  readonly open: () => Promise<Opened<R>>
  readonly sample: Sample<R>
  /** Opens the same system a second time; without it the test of durability must be skipped with a reason. */
  readonly reopen?: (opened: Opened<R>) => Promise<Provider<R>>
  readonly skip: readonly { readonly reason: string; readonly tests: readonly ConformanceTest[] }[]
}

const installation = 'conformance'
const never = new AbortController().signal

export function testProvider<R extends Resource>(subject: ConformanceCase<R>): void {
  const bench = createBench(subject)
  const bodies: Record<ConformanceTest, () => Promise<void>> = { ...reachingTests(bench), ...sharingTests(bench) }
  describe(`${subject.name} is a provider`, () => {
    afterEach(bench.closeAll)
    for (const name of conformanceTests) {
      const skipped = subject.skip.find(({ tests }) => tests.includes(name))
      if (skipped === undefined) test(name, bodies[name])
      else test.skip(`${name} (skipped: ${skipped.reason})`, bodies[name])
    }
  })
}

// --- the bench: comparing and applying, without the planner ---

type Bench<R extends Resource> = ReturnType<typeof createBench<R>>

function keyed<T>(items: readonly T[], resourceOf: (item: T) => Resource): Map<string, T> {
  return new Map(items.map(item => [formatRef(refOf(resourceOf(item))), item]))
}

/** The changes that lead from what is ours among the observed to the desired; in the planner's order. */
function changesTo<R extends Resource>(observed: readonly Observed<R>[], desired: readonly R[]): Change<R>[] {
  const ours = observed.filter(({ resource, mark }) => mark === markOf(installation, refOf(resource)))
  const before = keyed(
    ours.map(({ resource }) => resource),
    resource => resource,
  )
  const after = keyed(desired, resource => resource)
  const cause = { why: 'manifest', source: null } as const
  const changes: Change<R>[] = []
  for (const [key, wanted] of after) {
    const found = before.get(key)
    const ref = refOf(wanted)
    if (found === undefined) changes.push({ action: 'create', ref, before: null, after: wanted, ...cause })
    else if (canonicalJson(found) !== canonicalJson(wanted))
      changes.push({ action: 'update', ref, before: found, after: wanted, ...cause })
  }
  for (const [key, found] of before)
    if (!after.has(key)) changes.push({ action: 'delete', ref: refOf(found), before: found, after: null, ...cause })
  return order(changes as Change[]) as Change<R>[]
}

function createBench<R extends Resource>(subject: ConformanceCase<R>) {
  const opened: Opened<R>[] = []
  const bench = {
    subject,
    async open(): Promise<Opened<R>> {
      const one = await subject.open()
      opened.push(one)
      return one
    },
    async closeAll(): Promise<void> {
      for (const one of opened.splice(0)) {
        await one.provider[Symbol.asyncDispose]()
        await one.close()
      }
    },
    /** The desired state in the provider's own canonical form. */
    state(one: Opened<R>, index: number): R[] {
      return (subject.sample.states[index] ?? []).map(resource => one.provider.canonical(resource))
    },
    observe(one: Opened<R>): Promise<readonly Observed<R>[]> {
      return one.provider.observe('all', never)
    },
    async apply(one: Opened<R>, changes: readonly Change<R>[], signal = never): Promise<Outcome[]> {
      const marked = changes.map(change => ({ change, mark: markOf(installation, change.ref) }))
      const outcomes: Outcome[] = []
      for await (const outcome of one.provider.apply(marked, signal)) outcomes.push(outcome)
      return outcomes
    },
    /** Leaves our mark on an object as it stands. */
    async adopt(one: Opened<R>, resource: R): Promise<Outcome[]> {
      const ref = refOf(resource)
      const change = {
        action: 'update',
        ref,
        before: resource,
        after: resource,
        why: 'manifest',
        source: null,
      } as const
      return Array.fromAsync(one.provider.apply([{ change, mark: markOf(installation, ref), adopt: true }], never))
    },
    /** Goes to a state and demands that each change was applied. */
    async reach(one: Opened<R>, desired: readonly R[]): Promise<readonly Change<R>[]> {
      const changes = changesTo(await bench.observe(one), desired)
      const outcomes = await bench.apply(one, changes)
      expect(outcomes.filter(outcome => outcome.result !== 'applied')).toEqual([])
      return changes
    },
    async find(one: Opened<R>, resource: R): Promise<Observed<R> | undefined> {
      return keyed(await bench.observe(one), observed => observed.resource).get(formatRef(refOf(resource)))
    },
    /** An object that a third party can edit, with the edit: the last in the planner's order, since nothing rests on it. */
    editable(one: Opened<R>, candidates: readonly R[]): { resource: R; edited: R } {
      for (const resource of changesTo([], candidates)
        .map(change => change.after as R)
        .reverse()) {
        const edit = subject.sample.edit(resource)
        if (edit !== undefined) return { resource, edited: one.provider.canonical(edit) }
      }
      throw new Error('the sample has no object that a third party can edit')
    },
  }
  return bench
}

function fullState<R extends Resource>(bench: Bench<R>): number {
  const sizes = bench.subject.sample.states.map(state => state.length)
  return sizes.indexOf(Math.max(...sizes))
}

// --- the tests ---

function reachingTests<R extends Resource>(bench: Bench<R>) {
  const { sample } = bench.subject
  return {
    'canonical is idempotent and leaves a canonical object as it is': async () => {
      const one = await bench.open()
      for (const resource of [...sample.states.flat(), ...sample.foreign]) {
        const once = one.provider.canonical(resource)
        expect(one.provider.canonical(once)).toEqual(once)
        expect(formatRef(refOf(once))).toBe(formatRef(refOf(one.provider.canonical(once))))
        expect(one.provider.check(once)).toEqual([])
      }
    },
    'every state is reached, and the next comparison is empty': async () => {
      const one = await bench.open()
      expect(await bench.observe(one)).toEqual([])
      for (const desired of [...sample.states.keys()].map(index => bench.state(one, index)).concat([[]])) {
        await bench.reach(one, desired)
        const observed = await bench.observe(one)
        expect(changesTo(observed, desired)).toEqual([])
        expect(observed.length).toBe(desired.length)
        for (const { resource } of observed) expect(one.provider.canonical(resource)).toEqual(resource)
      }
    },
    'every object carries the mark that it was given': async () => {
      const one = await bench.open()
      await bench.reach(one, bench.state(one, fullState(bench)))
      const observed = await bench.observe(one)
      expect(observed.length).toBeGreaterThan(0)
      for (const { resource, mark } of observed) expect(mark).toBe(markOf(installation, refOf(resource)))
    },
    'applying the same changes twice is harmless': async () => {
      const one = await bench.open()
      for (const desired of [...sample.states.keys()].map(index => bench.state(one, index)).concat([[]])) {
        const changes = await bench.reach(one, desired)
        const before = canonicalJson(await bench.observe(one))
        const again = await bench.apply(one, changes)
        expect(canonicalJson(await bench.observe(one))).toBe(before)
        const creates = new Set(changes.filter(({ action }) => action === 'create').map(({ ref }) => formatRef(ref)))
        const refused = again.filter(({ ref, result }) => creates.has(formatRef(ref)) && result !== 'applied')
        expect(refused).toEqual([])
      }
    },
    'there is one outcome for each change': async () => {
      const one = await bench.open()
      const changes = changesTo([], bench.state(one, fullState(bench)))
      const outcomes = await bench.apply(one, changes)
      const sorted = (refs: readonly string[]) => [...refs].sort()
      expect(sorted(outcomes.map(({ ref }) => formatRef(ref)))).toEqual(
        sorted(changes.map(({ ref }) => formatRef(ref))),
      )
    },
    'an abort before the start leaves everything undone': async () => {
      const one = await bench.open()
      const changes = changesTo([], bench.state(one, fullState(bench)))
      const outcomes = await bench.apply(one, changes, AbortSignal.abort())
      expect(outcomes.map(({ result }) => result)).toEqual(changes.map(() => 'skipped'))
      expect(await bench.observe(one)).toEqual([])
    },
    'an abort in the middle leaves what the outcomes say': async () => {
      const one = await bench.open()
      const changes = changesTo([], bench.state(one, fullState(bench)))
      const stop = new AbortController()
      const marked = changes.map(change => ({ change, mark: markOf(installation, change.ref) }))
      const outcomes: Outcome[] = []
      for await (const outcome of one.provider.apply(marked, stop.signal)) {
        outcomes.push(outcome)
        stop.abort()
      }
      expect(outcomes.length).toBe(changes.length)
      const standing = keyed(await bench.observe(one), observed => observed.resource)
      for (const { ref, result } of outcomes) {
        expect(['applied', 'skipped']).toContain(result)
        expect([formatRef(ref), standing.has(formatRef(ref))]).toEqual([formatRef(ref), result === 'applied'])
      }
      // What was cut is finished by the next pass.
      await bench.reach(one, bench.state(one, fullState(bench)))
    },
    'what was applied stands after the provider is opened again': async () => {
      const one = await bench.open()
      await bench.reach(one, bench.state(one, fullState(bench)))
      const before = canonicalJson(await bench.observe(one))
      const { reopen } = bench.subject
      if (reopen === undefined) throw new Error('without reopen this test must be skipped with a reason')
      await using again = await reopen(one)
      expect(canonicalJson(await again.observe('all', never))).toBe(before)
    },
  }
}

function sharingTests<R extends Resource>(bench: Bench<R>) {
  const { sample } = bench.subject
  return {
    "a third party's edit before an update is a conflict and survives": async () => {
      const one = await bench.open()
      const full = bench.state(one, fullState(bench))
      await bench.reach(one, full)
      const { resource, edited } = bench.editable(one, full)
      const planned = one.provider.canonical(sample.edit(edited) ?? edited)
      expect(planned).not.toEqual(edited)
      await one.writeBehind(resource, edited)
      const stale = { action: 'update', ref: refOf(resource), before: resource, after: planned } as const
      const outcomes = await bench.apply(one, [{ ...stale, why: 'manifest', source: null }])
      expect(outcomes.map(({ result }) => result)).toEqual(['conflict'])
      expect((await bench.find(one, resource))?.resource).toEqual(edited)
    },
    "a third party's edit before a delete is a conflict and survives": async () => {
      const one = await bench.open()
      const full = bench.state(one, fullState(bench))
      await bench.reach(one, full)
      const { resource, edited } = bench.editable(one, full)
      await one.writeBehind(resource, edited)
      const stale = { action: 'delete', ref: refOf(resource), before: resource, after: null } as const
      const outcomes = await bench.apply(one, [{ ...stale, why: 'removal', source: null }])
      expect(outcomes.map(({ result }) => result)).toEqual(['conflict'])
      expect((await bench.find(one, resource))?.resource).toEqual(edited)
    },
    "a third party's object in the place of a new one is a conflict and survives": async () => {
      const one = await bench.open()
      const full = bench.state(one, fullState(bench))
      const { resource, edited } = bench.editable(one, full)
      const rest = full.filter(other => formatRef(refOf(other)) !== formatRef(refOf(resource)))
      await bench.reach(one, rest)
      await one.writeBehind(resource, edited)
      const create = changesTo([], [resource])
      expect((await bench.apply(one, create)).map(({ result }) => result)).toEqual(['conflict'])
      const after = await bench.find(one, resource)
      expect(after?.resource).toEqual(edited)
      expect(after?.mark).not.toBe(markOf(installation, refOf(resource)))
    },
    'one conflict does not stop the neighbours': async () => {
      const one = await bench.open()
      const full = bench.state(one, fullState(bench))
      const { resource, edited } = bench.editable(one, full)
      const ahead = full.filter(other => other.kind !== resource.kind)
      await bench.reach(one, ahead)
      await one.writeBehind(resource, edited)
      const outcomes = await bench.apply(one, changesTo(await bench.observe(one), full))
      const missed = outcomes.filter(({ result }) => result !== 'applied').map(({ ref }) => formatRef(ref))
      expect(missed).toEqual([formatRef(refOf(resource))])
      expect(outcomes.length).toBeGreaterThan(1)
    },
    'an object that a third party removed is created anew': async () => {
      const one = await bench.open()
      const full = bench.state(one, fullState(bench))
      await bench.reach(one, full)
      const { resource } = bench.editable(one, full)
      await one.writeBehind(resource, null)
      expect(await bench.find(one, resource)).toBeUndefined()
      const changes = await bench.reach(one, full)
      expect(changes.map(({ action, ref }) => [action, formatRef(ref)])).toEqual([
        ['create', formatRef(refOf(resource))],
      ])
    },
    "a third party's object is adopted as it stands, and not when it was edited since": async () => {
      const one = await bench.open()
      const full = bench.state(one, fullState(bench))
      const { resource, edited } = bench.editable(one, full)
      const rest = full.filter(other => formatRef(refOf(other)) !== formatRef(refOf(resource)))
      await bench.reach(one, rest)
      await one.writeBehind(resource, edited)
      const adopt = (before: R) => bench.adopt(one, before)
      expect((await adopt(resource)).map(({ result }) => result)).toEqual(['conflict'])
      expect((await bench.find(one, resource))?.mark).not.toBe(markOf(installation, refOf(resource)))
      expect((await adopt(edited)).map(({ result }) => result)).toEqual(['applied'])
      expect(await bench.find(one, resource)).toEqual({
        resource: edited,
        mark: markOf(installation, refOf(resource)),
      })
      // From now on it is ours like any other.
      await bench.reach(one, full)
    },
    'foreign objects are observed without a mark of ours and survive everything': async () => {
      const one = await bench.open()
      expect(sample.foreign.length).toBeGreaterThan(0)
      for (const foreign of sample.foreign) await one.writeBehind(foreign, one.provider.canonical(foreign))
      const found = async () => {
        const all = keyed(await bench.observe(one), observed => observed.resource)
        return sample.foreign.map(foreign => all.get(formatRef(refOf(foreign))))
      }
      const atFirst = await found()
      expect(atFirst.map(observed => observed?.mark === markOf(installation, refOf(observed!.resource)))).toEqual(
        sample.foreign.map(() => false),
      )
      for (const desired of [...sample.states.keys()].map(index => bench.state(one, index)).concat([[]])) {
        await bench.reach(one, desired)
        expect(await found()).toEqual(atFirst)
      }
      expect((await bench.observe(one)).length).toBe(sample.foreign.length)
    },
    'a scope shows the same objects as the whole': async () => {
      const one = await bench.open()
      await bench.reach(one, bench.state(one, fullState(bench)))
      const all = await bench.observe(one)
      const domains = [...new Set(all.flatMap(({ resource }) => domainOf(resource) ?? []))]
      for (const domain of domains) {
        const part = await one.provider.observe({ domains: [domain] }, never)
        const wanted = all.filter(({ resource }) => domainOf(resource) === domain)
        expect(keyed(part, observed => observed.resource)).toEqual(keyed(wanted, observed => observed.resource))
      }
      expect(await one.provider.observe({ domains: ['absent.example'] }, never)).toEqual([])
    },
  }
}

/** Null for what belongs to no domain: no scope but the whole shows it. */
function domainOf(resource: Resource): string | null {
  switch (resource.kind) {
    case 'zone':
      return resource.apex
    case 'rrset':
      return resource.zone
    case 'domain':
    case 'account':
      return resource.domain
    case 'member':
      return null
  }
}
