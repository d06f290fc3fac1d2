/** Properties of diff and guards over generated worlds of resources: what is planned converges, and touches only ours. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, digestOf } from '../../agent/core/digest.ts'
import type { Desired } from '../../agent/desired/desired.ts'
import type { Change } from '../../agent/model/change.ts'
import { toAddress } from '../../agent/model/name.ts'
import {
  type DirectoryAccount,
  formatRef,
  type RecordType,
  type Resource,
  type RRsetResource,
  refOf,
} from '../../agent/model/resource.ts'
import { type DiffInput, diff } from '../../agent/plan/diff.ts'
import { guard } from '../../agent/plan/guards.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { Owned } from '../../agent/world/history.ts'
import type { Observed } from '../../providers/provider.ts'

const installation = 'mailwarden/test'

function account(n: number, variant: number): DirectoryAccount {
  const domain = `d${n % 3}.example` as DirectoryAccount['domain']
  const address = toAddress(`u${n}`, domain)
  return {
    provider: 'directory',
    kind: 'account',
    key: address,
    address,
    domain,
    role: 'user',
    status: variant === 1 ? 'suspended' : 'active',
    allowNets: null,
    quotaBytes: variant,
    aliases: [],
  }
}

type Slot = { n: number; desired: number | null; observed: number | null; marked: boolean; known: boolean }
const slots = fc
  .array(
    fc.record({
      desired: fc.option(fc.integer({ min: 0, max: 2 })),
      observed: fc.option(fc.integer({ min: 0, max: 2 })),
      marked: fc.boolean(),
      known: fc.boolean(),
    }),
    { maxLength: 20 },
  )
  .map(list => list.map((slot, n): Slot => ({ n, ...slot })))

function inputOf(world: readonly Slot[]): DiffInput {
  const wanted = new Map<string, Desired>()
  const observed: Observed[] = []
  const owned = new Map<string, Owned>()
  for (const slot of world) {
    const ref = refOf(account(slot.n, 0))
    if (slot.desired !== null)
      wanted.set(formatRef(ref), { resource: account(slot.n, slot.desired), source: null, holds: [] })
    if (slot.observed !== null)
      observed.push({ resource: account(slot.n, slot.observed), mark: slot.marked ? markOf(installation, ref) : null })
    if (slot.known)
      owned.set(formatRef(ref), { ref, digest: digestOf(account(slot.n, slot.observed ?? 0)), heldBy: null })
  }
  return {
    installation,
    desired: wanted,
    free: wanted,
    observed,
    history: { owned },
    holdOn: () => undefined,
    covers: () => true,
    withdrawn: () => false,
  }
}

/** Carries changes out on a plain list, as an honest provider would. */
function carryOut(input: DiffInput, changes: readonly Change[]): DiffInput {
  const standing = new Map(input.observed.map(observed => [formatRef(refOf(observed.resource)), observed]))
  const owned = new Map(input.history.owned)
  for (const change of changes) {
    const key = formatRef(change.ref)
    if (change.action === 'delete') {
      standing.delete(key)
      owned.delete(key)
    } else {
      standing.set(key, { resource: change.after, mark: markOf(installation, change.ref) })
      owned.set(key, { ref: change.ref, digest: digestOf(change.after), heldBy: null })
    }
  }
  return { ...input, observed: [...standing.values()], history: { owned } }
}

describe('diff', () => {
  test('carrying a diff out leaves nothing to do, whatever stood before', () => {
    fc.assert(
      fc.property(slots, world => {
        const input = inputOf(world)
        const after = carryOut(input, diff(input).changes)
        expect(diff(after).changes).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  test('an object that lacks the mark or the register entry is never changed', () => {
    fc.assert(
      fc.property(slots, world => {
        const input = inputOf(world)
        const foreign = world.filter(slot => slot.observed !== null && !(slot.marked && slot.known))
        const after = new Map(
          carryOut(input, diff(input).changes).observed.map(observed => [observed.resource.key, observed]),
        )
        for (const slot of foreign) {
          const before = input.observed.find(observed => observed.resource.key === account(slot.n, 0).key)
          expect(canonicalJson(after.get(account(slot.n, 0).key))).toBe(canonicalJson(before))
        }
      }),
      { numRuns: 500 },
    )
  })

  test('what is ours and wanted ends as wanted, what is ours and unwanted is gone', () => {
    fc.assert(
      fc.property(slots, world => {
        const input = inputOf(world)
        const after = new Map(
          carryOut(input, diff(input).changes).observed.map(observed => [observed.resource.key, observed.resource]),
        )
        for (const slot of world) {
          const ours = slot.observed === null || (slot.marked && slot.known)
          if (!ours) continue
          const wanted: Resource | undefined = slot.desired === null ? undefined : account(slot.n, slot.desired)
          expect(after.get(account(slot.n, 0).key)).toEqual(wanted)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a copy of a marked object under another name is not ours', () => {
    const original = account(1, 0)
    const copy = { ...account(4, 0) }
    const stolen = markOf(installation, refOf(original))
    const input: DiffInput = {
      ...inputOf([]),
      observed: [{ resource: copy, mark: stolen }],
      history: { owned: new Map([[formatRef(refOf(copy)), { ref: refOf(copy), digest: '', heldBy: null }]]) },
    }
    expect(diff(input)).toMatchObject({ changes: [], contested: [{ reason: 'mark-lost' }] })
  })

  test('a record whose name somebody gave an alias is told, and not tried', () => {
    const zone = 'hcg.example' as DirectoryAccount['domain']
    const rrset = (type: RecordType, value: string): RRsetResource => {
      const owner = `_dmarc.${zone}`
      return {
        provider: 'dns',
        kind: 'rrset',
        key: `${zone}/${owner}/${type}`,
        zone,
        owner,
        type,
        ttl: 60,
        values: [value],
      }
    }
    const [text, alias] = [rrset('TXT', 'v=DMARC1'), rrset('CNAME', 'otro.example')]
    const want = (resource: Resource) => {
      const desired = new Map([[formatRef(refOf(resource)), { resource, source: null, holds: [] }]])
      return { ...inputOf([]), desired, free: desired }
    }
    const standing = (resource: Resource) => ({ resource, mark: null })
    const told = { changes: [], contested: [{ ref: { key: text.key }, reason: 'name-taken' }] }
    expect(diff({ ...want(text), observed: [standing(alias)] })).toMatchObject(told)
    expect(diff({ ...want(alias), observed: [standing(text)] }).contested).toMatchObject([{ reason: 'name-taken' }])
    // An alias of ours goes in the same pass, which a server does in one step.
    const ours = { resource: alias, mark: markOf(installation, refOf(alias)) }
    const owned = new Map([[formatRef(refOf(alias)), { ref: refOf(alias), digest: '', heldBy: null }]])
    const both = diff({ ...want(text), observed: [ours], history: { owned } })
    expect(both.changes.map(({ action }) => action)).toEqual(['create', 'delete'])
    expect(diff({ ...want(text), observed: [standing(rrset('A', '192.0.2.1'))] }).changes).toHaveLength(1)
  })

  test('what a held domain has is not removed, and is listed as held', () => {
    const input: DiffInput = {
      ...inputOf([{ n: 1, desired: null, observed: 0, marked: true, known: true }]),
      holdOn: () => 'INC-2026-0001',
    }
    expect(diff(input)).toMatchObject({ changes: [], held: [{ incident: 'INC-2026-0001' }] })
  })
})

describe('guards', () => {
  const limits = { deletes: 5, updatePercent: 30, recipientsPerHour: 200, recipientsPerDay: 500 }
  const removal = (n: number): Change => ({
    action: 'delete',
    ref: refOf(account(n, 0)),
    before: account(n, 0),
    after: null,
    why: 'removal',
    source: null,
  })
  const run = (changes: Change[], standing: Resource[], acceptance = {}) =>
    guard({ changes, standing, history: { deletes: [] }, limits, now: 0, acceptance }).map(refusal => refusal.guard)
  const all = (count: number) => Array.from({ length: count }, (_, n) => account(n, 0))

  test('more deletes than the limit are refused, the exact count is accepted, another is not', () => {
    const changes = Array.from({ length: 6 }, (_, n) => removal(n))
    expect(run(changes, all(60))).toEqual(['deletes'])
    expect(run(changes, all(60), { delete: 6 })).toEqual([])
    expect(run(changes, all(60), { delete: 7 })).toEqual(['deletes'])
    expect(run(changes.slice(0, 5), all(60))).toEqual([])
  })

  test('deletes of the last 24 hours count, accepted ones do not', () => {
    const history = {
      deletes: [
        { at: 1, count: 4, accepted: false },
        { at: 1, count: 400, accepted: true },
      ],
    }
    const input = { changes: [removal(0), removal(1)], standing: all(60), limits, now: 2, acceptance: {} }
    expect(guard({ ...input, history }).map(refusal => refusal.guard)).toEqual(['deletes'])
    expect(guard({ ...input, history, now: 86_400_002 })).toEqual([])
  })

  test('emptying a domain asks, even below the limit', () => {
    expect(run([removal(0)], [account(0, 0), account(1, 0)])).toEqual(['domain-emptied'])
  })

  test('many updates ask, but closing doors, opening them for two people, and putting back does not', () => {
    const update = (n: number, why: Change['why']): Change => ({
      action: 'update',
      ref: refOf(account(n, 0)),
      before: account(n, 0),
      after: account(n, 2),
      why,
      source: null,
    })
    const updates = (why: Change['why']) => Array.from({ length: 4 }, (_, n) => update(n, why))
    expect(run(updates('manifest'), all(10))).toEqual(['updates'])
    expect(run(updates('release'), all(10))).toEqual([])
    expect(run(updates('hold'), all(10))).toEqual([])
    expect(run(updates('drift'), all(10))).toEqual([])
    expect(run(updates('manifest').slice(0, 3), all(10))).toEqual([])
    expect(run(updates('manifest'), all(10), { update: 4 })).toEqual([])
  })
})
