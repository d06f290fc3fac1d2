/**
 * What the doors of every directory must do (contract section 6): read and written by themselves, at once, where they are
 * ours and as they were seen; the pass that follows finds nothing but what really is to follow.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Change } from '../../agent/model/change.ts'
import { refOf } from '../../agent/model/resource.ts'
import { order } from '../../agent/plan/order.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { Opened } from './provider.suite.ts'
import { account, domain, names } from './samples.ts'

const never = new AbortController().signal
const hcg = domain('hcg.example')
const admin = account('admin@hcg.example', { role: 'administrator' })
const juan = account('jperez@hcg.example', { aliases: names('juan'), quotaBytes: 1_048_576 })
const cause = { why: 'hold', source: null } as const

function update<R extends DirectoryResource>(before: R, over: Partial<R>): Change<DirectoryResource> {
  return { action: 'update', ref: refOf(before), before, after: { ...before, ...over }, ...cause }
}

export function testDoors(name: string, open: () => Promise<Opened<DirectoryResource>>): void {
  describe(`the doors of ${name}`, () => {
    let opened: Opened<DirectoryResource>
    const marked = (changes: readonly Change<DirectoryResource>[]) =>
      changes.map(change => ({ change, mark: markOf('here', change.ref) }))
    const doors = () => {
      const found = opened.provider.doors
      if (found === undefined) throw new Error('it has none')
      return found
    }
    const write = async (...changes: Change<DirectoryResource>[]) =>
      (await Array.fromAsync(doors().write(marked(changes), never))).map(({ result }) => result)
    const read = async (...resources: DirectoryResource[]) =>
      (await doors().read(resources.map(refOf), never)).map(({ resource }) => resource)
    const observed = async (key: string) =>
      (await opened.provider.observe('all', never)).find(({ resource }) => resource.key === key)?.resource

    beforeEach(async () => {
      opened = await open()
      const creates = [hcg, admin, juan].map(
        (after): Change<DirectoryResource> => ({ action: 'create', ref: refOf(after), before: null, after, ...cause }),
      )
      for await (const outcome of opened.provider.apply(marked(order(creates) as typeof creates), never))
        expect(outcome.result).toBe('applied')
    })
    afterEach(async () => {
      await opened.provider[Symbol.asyncDispose]()
      await opened.close()
    })

    test('each is read by itself; what does not stand is left out', async () => {
      expect(await read(hcg, juan, account('nadie@hcg.example'), domain('otra.example'))).toEqual([hcg, juan])
    })

    test('one write closes it, changes nothing else, and is harmless when repeated', async () => {
      const closings = [
        update(hcg, { login: 'suspended', collection: 'suspended' }),
        update(juan, { status: 'suspended' }),
      ]
      expect(await write(...closings)).toEqual(['applied', 'applied'])
      expect(await read(hcg, juan, admin)).toEqual([
        { ...hcg, login: 'suspended', collection: 'suspended' },
        { ...juan, status: 'suspended' },
        admin,
      ])
      expect(await write(...closings)).toEqual(['applied', 'applied'])
      expect(await observed(juan.key)).toEqual({ ...juan, status: 'suspended' })
    })

    test('where something follows elsewhere that is told, and a pass brings it about', async () => {
      const closed = { login: 'suspended', collection: 'suspended' } as const
      await write(update(hcg, closed))
      const [door] = await doors().read([refOf(hcg)], never)
      const seen = await observed(hcg.key)
      expect(JSON.stringify(seen) === JSON.stringify({ ...hcg, ...closed })).toBe(door?.isWhole)
      const rest = [{ ...update(hcg, closed), before: seen } as Change<DirectoryResource>]
      for await (const outcome of opened.provider.apply(marked(rest), never)) expect(outcome.result).toBe('applied')
      expect(await observed(hcg.key)).toEqual({ ...hcg, ...closed })
    })

    test('what somebody edited since it was read, or what is not ours, is left', async () => {
      await opened.writeBehind(juan, { ...juan, quotaBytes: 5_242_880 })
      const stranger = account('x@hcg.example')
      await opened.writeBehind(stranger, stranger)
      const gone = account('nadie@hcg.example')
      const closings = [juan, stranger, gone].map(one => update(one, { status: 'suspended' }))
      expect(await write(...closings)).toEqual(['conflict', 'conflict', 'conflict'])
      expect(await read(juan)).toEqual([{ ...juan, quotaBytes: 5_242_880 }])
    })

    test('after an abort nothing is written', async () => {
      const closing = marked([update(juan, { status: 'suspended' })])
      const outcomes = await Array.fromAsync(doors().write(closing, AbortSignal.abort()))
      expect(outcomes.map(({ result }) => result)).toEqual(['skipped'])
      expect(await read(juan)).toEqual([juan])
    })
  })
}
