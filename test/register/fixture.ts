/** What the register's tests share: a temporary folder, a fixed clock, seeded randomness, entries of every shape. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../agent/core/clock.ts'
import type { NewEntry } from '../../agent/register/register.ts'
import { openSqliteRegister, type SqliteOptions, type SqliteRegister } from '../../agent/register/sqlite.ts'

export type Folder = { readonly path: string } & Disposable

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'mailwarden-register-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Moves on by a second at each look, so that every checkpoint has its own time. */
export function steppingClock(): Clock {
  let now = Date.UTC(2026, 0, 1)
  return {
    now: () => {
      now += 1_000
      return now
    },
    sleep: async () => {},
  }
}

/** SHA-512 in counter mode: the same bytes for the same seed on every machine. */
export function seededRandom(seed: string): (bytes: number) => Uint8Array {
  let drawn = 0
  return bytes => {
    const blocks: Buffer[] = []
    for (let held = 0; held < bytes; held += 64) {
      drawn += 1
      blocks.push(createHash('sha512').update(`${seed}:${drawn}`).digest())
    }
    return Buffer.concat(blocks).subarray(0, bytes)
  }
}

/** A whole number from 0 up to, not including, `below`. */
export function seededNumber(seed: string): (below: number) => number {
  const random = seededRandom(seed)
  return below => Number(Buffer.from(random(6)).readUIntBE(0, 6) % below)
}

export type State = SqliteOptions & { readonly folder: string }

export function stateIn(folder: string, seed = 'register'): State {
  return {
    folder,
    file: join(folder, 'mailwarden.db'),
    keysFolder: join(folder, 'keys'),
    witnessFiles: [join(folder, 'register.witness')],
    clock: steppingClock(),
    random: seededRandom(seed),
  }
}

export const ana = { person: 'ana', role: 'responder' } as const

/** Every third entry has no personal part, every fifth no rule. */
export function sampleEntry(number: number): NewEntry {
  const entry = {
    kind: ['incident.declared', 'apply.intended', 'apply.completed', 'notice.sent'][number % 4] as string,
    actor: number % 2 === 0 ? ana : { person: 'daemon', role: 'schedule' },
    at: new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString(),
    subject: `domain:d${number % 7}.example`,
    facts: { count: number, nested: { b: [1, null, true], a: 'ñandú – €' }, text: 'x'.repeat(number % 90) },
  }
  const ruled = number % 5 === 0 ? entry : { ...entry, rule: 'S37' }
  return number % 3 === 0
    ? ruled
    : { ...ruled, personal: { login: `person${number}@d.example`, note: 'y'.repeat(number) } }
}

export function sampleEntries(count: number, from = 0): NewEntry[] {
  return Array.from({ length: count }, (_, number) => sampleEntry(from + number))
}

/** A store of `count` entries in transactions of several sizes, closed. The last entry erases two personal parts. */
export async function fillStore(state: State, count: number): Promise<void> {
  await using register = await openSqliteRegister(state)
  let written = 0
  for (let batch = 1; written < count - 1; batch++) {
    const size = Math.min((batch * 3) % 11 || 1, count - 1 - written)
    await register.append(sampleEntries(size, written))
    written += size
  }
  await register.erasePersonal([4, 7], ana, 'retention')
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

/** Copies a state that no process holds. */
export async function copyState(state: State, folder: string): Promise<State> {
  await cp(state.folder, folder, { recursive: true })
  return stateIn(folder, 'copy')
}

export type { SqliteRegister }
