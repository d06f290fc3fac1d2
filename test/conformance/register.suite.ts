/** What every register must do, whatever keeps it. Roots are computed here by a second, naive tree of RFC 6962. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { Actor, NewEntry, Register, Stored } from '../../agent/register/register.ts'
import { collect, sampleEntries, sampleEntry, temporaryFolder } from '../register/fixture.ts'

export interface ErasingRegister extends Register {
  erasePersonal(indexes: readonly number[], actor: Actor, reason: string): Promise<Stored>
}

export type RegisterUnderTest = {
  readonly name: string
  /** Opens the register of a folder; again, after it was disposed of, the same one. */
  readonly open: (folder: string) => Promise<ErasingRegister>
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[]
}

const sha256 = (...parts: readonly Uint8Array[]) =>
  parts.reduce((running, part) => running.update(part), createHash('sha256')).digest()

/** RFC 6962 section 2.1, word by word. */
export function naiveRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return sha256(Buffer.of(0), leaves[0] as Uint8Array)
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha256(Buffer.of(1), naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)))
}

function publicBytes({ personal: _, ...entry }: Stored): Uint8Array {
  return Buffer.from(canonicalJson(entry))
}

const actor = { person: 'berta', role: 'security-lead' }

export function testRegister({ name, open, skip = [] }: RegisterUnderTest): void {
  const check = (title: string, body: (folder: string) => Promise<void>) => {
    const reason = skip.find(({ tests }) => tests.includes(title))?.reason
    test.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (skipped: ${reason})`, async () => {
      using folder = temporaryFolder()
      await body(folder.path)
    })
  }

  describe(name, () => {
    check('a new register is empty and signed', async folder => {
      await using register = await open(folder)
      expect(register.size).toBe(0)
      expect(await collect(register.read(0))).toEqual([])
      expect(await register.checkpoint()).toMatchObject({ size: 0, root: naiveRoot([]).toString('hex') })
    })

    check('what was appended is read back, now and after opening again', async folder => {
      const entries = sampleEntries(250)
      let stored: readonly Stored[]
      {
        await using register = await open(folder)
        stored = await register.append(entries)
        expect(stored.map(({ index }) => index)).toEqual(entries.map((_, index) => index))
        for (const [index, entry] of entries.entries()) {
          expect(stored[index]).toMatchObject({ ...entry, personal: entry.personal ?? null })
          expect(stored[index]?.commitment === null).toBe(entry.personal === undefined)
        }
        expect(await collect(register.read(0))).toEqual(stored)
      }
      await using register = await open(folder)
      expect(register.size).toBe(250)
      expect(await collect(register.read(0))).toEqual(stored)
      expect(await collect(register.read(247))).toEqual(stored.slice(247))
      expect(await collect(register.read(250))).toEqual([])
    })

    check('the checkpoint covers every acknowledged entry', async folder => {
      await using register = await open(folder)
      const leaves: Uint8Array[] = []
      for (const count of [1, 1, 2, 7, 63, 64, 65, 100]) {
        const stored = await register.append(sampleEntries(count, leaves.length))
        leaves.push(...stored.map(publicBytes))
        const { size, root, signature } = await register.checkpoint()
        expect({ size, root }).toEqual({ size: leaves.length, root: naiveRoot(leaves).toString('hex') })
        expect(signature).not.toBe('')
      }
    })

    check('concurrent appends have one order without gaps, each call together', async folder => {
      await using register = await open(folder)
      const calls = Array.from({ length: 300 }, (_, call) => sampleEntries(1 + (call % 3), call))
      const answers = await Promise.all(calls.map(entries => register.append(entries)))
      let expected = 0
      for (const [call, stored] of answers.entries())
        for (const [place, entry] of stored.entries()) {
          expect(entry.index).toBe(expected)
          expect(entry.facts).toEqual(calls[call]?.[place]?.facts)
          expected += 1
        }
      expect(register.size).toBe(expected)
      expect(await collect(register.read(0))).toEqual(answers.flat())
    })

    check('all entries of a call or none, and the neighbour is not harmed', async folder => {
      await using register = await open(folder)
      await register.append(sampleEntries(3))
      const huge: NewEntry = { ...sampleEntry(1), facts: { text: 'x'.repeat(2_000_000) } }
      const [before, bad, after] = await Promise.allSettled([
        register.append([sampleEntry(3)]),
        register.append([sampleEntry(4), huge, sampleEntry(5)]),
        register.append([sampleEntry(6)]),
      ])
      expect([before.status, bad.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect((await collect(register.read(0))).map(({ facts }) => facts.count)).toEqual([0, 1, 2, 3, 6])
    })

    check('values keep their exact form', async folder => {
      await using register = await open(folder)
      const facts = {
        '': 'empty key',
        __proto__x: 'near a prototype',
        10: 'ten',
        9: 'nine',
        surrogate: '\ud800',
        text: '"\\\n\u0000\u2028é😀',
        numbers: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER],
        deep: { z: { y: { x: [[[]], {}] } } },
      }
      const [stored] = await register.append([{ ...sampleEntry(0), facts, personal: { facts } }])
      expect(stored).toMatchObject({ facts, personal: { facts } })
      const [read] = await collect(register.read(0))
      expect(read).toEqual(stored)
    })

    check('a thousand entries in one call are one step', async folder => {
      await using register = await open(folder)
      const stored = await register.append(sampleEntries(1_000))
      expect(stored.length).toBe(1_000)
      expect((await register.checkpoint()).size).toBe(1_000)
    })

    check('an erased personal part is gone, its commitment and every root stay', async folder => {
      let commitments: (string | null)[]
      {
        await using register = await open(folder)
        const stored = await register.append(sampleEntries(10))
        const before = await register.checkpoint()
        const erasing = await register.erasePersonal([4, 1], actor, 'asked for by the holder')
        expect(erasing).toMatchObject({ index: 10, kind: 'personal.erased', facts: { indexes: [1, 4] } })
        const read = await collect(register.read(0))
        commitments = stored.map(({ commitment }) => commitment)
        expect(read.slice(0, 10).map(({ commitment }) => commitment)).toEqual(commitments)
        expect(read.map(({ personal }, index) => (personal === null ? index : -1)).filter(index => index >= 0)).toEqual(
          [0, 1, 3, 4, 6, 9],
        )
        expect(naiveRoot(read.slice(0, 10).map(publicBytes)).toString('hex')).toBe(before.root)
      }
      await using register = await open(folder)
      const read = await collect(register.read(0))
      expect(read[4]).toMatchObject({ personal: null, commitment: commitments[4] })
      await register.append([sampleEntry(11)])
    })

    check('nothing is erased that is not there, and then nothing at all', async folder => {
      await using register = await open(folder)
      await register.append(sampleEntries(5))
      for (const indexes of [[1, 0], [1, 99], [-1]])
        await expect(register.erasePersonal(indexes, actor, 'mistake')).rejects.toThrow(/no personal part/)
      expect(register.size).toBe(5)
      expect((await collect(register.read(1)))[0]?.personal).not.toBeNull()
    })

    check('an empty append changes nothing', async folder => {
      await using register = await open(folder)
      expect(await register.append([])).toEqual([])
      expect(register.size).toBe(0)
    })

    check('appends under way finish before the register closes; later ones are refused', async folder => {
      const register = await open(folder)
      const underway = Promise.all([register.append(sampleEntries(2)), register.append(sampleEntries(2, 2))])
      await Promise.resolve()
      await register[Symbol.asyncDispose]()
      expect((await underway).flat().length).toBe(4)
      await expect(register.append([sampleEntry(4)])).rejects.toThrow(/closed/)
      await using again = await open(folder)
      expect(again.size).toBe(4)
    })
  })
}
