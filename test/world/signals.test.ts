/** Who is still to hear of signs of misuse, folded from the register's entries. */
import { expect, test } from 'vitest'
import { formatInstant } from '../../agent/core/clock.ts'
import type { Stored } from '../../agent/register/register.ts'
import { applySignalEntry, dueSignals, emptySignals, type Signals } from '../../agent/world/signals.ts'

const start = Date.UTC(2026, 5, 15, 3)
const minuteMs = 60_000
let index = 0
const entry = (kind: string, at: number, facts: object, personal: object = {}) =>
  ({ kind, at: formatInstant(at), index: index++, facts, personal }) as unknown as Stored
const raised = (at: number, subject: string, institution: string | null = 'hospital') =>
  entry('signal.raised', at, { code: 'SIG-SCOPE', level: 'alert', count: 20, institution }, { subject })
const sent = (at: number, notice: string, of: number, kind = 'notice.sent') =>
  entry(kind, at, { topic: 'signals', notice, of })
const fold = (signals: Signals, ...entries: Stored[]) => entries.reduce(applySignalEntry, signals)

test('a storm is one notice to each, with a number', () => {
  const storm = Array.from({ length: 500 }, (_, n) => raised(start + n, `p${n}@hcg.sld.cu`))
  const signals = fold(emptySignals, ...storm)
  const due = dueSignals(signals, start)
  expect(
    due.map(({ audience, institution, signals: told, more }) => [audience, institution, told.length, more]),
  ).toEqual([
    ['operator', null, 20, 480],
    ['representative', 'hospital', 20, 480],
  ])
  expect(signals.newest).toHaveLength(200)
})

test('a network is nobody’s: the operator alone is told', () => {
  const due = dueSignals(fold(emptySignals, raised(start, '203.0.113.0/24', null)), start)
  expect(due.map(({ audience }) => audience)).toEqual(['operator'])
})

test('what is only recorded is told to nobody', () => {
  const guessed = { code: 'SIG-AUTH-FAILURES', level: 'record', count: 900, institution: 'hospital' }
  const signals = fold(emptySignals, entry('signal.raised', start, guessed, { subject: 'a@hcg.sld.cu' }))
  expect(dueSignals(signals, start)).toEqual([])
  expect(signals.newest).toHaveLength(1)
})

test('what came while a notice was on its way is told in the next, ten minutes later', () => {
  let signals = fold(emptySignals, raised(start, 'a@hcg.sld.cu'))
  const [first] = dueSignals(signals, start)
  signals = fold(signals, raised(start + 1, 'b@hcg.sld.cu'), sent(start + 2, first!.id, 1))
  expect(dueSignals(signals, start + minuteMs).map(({ audience }) => audience)).toEqual(['representative'])
  const later = dueSignals(signals, start + 2 + 10 * minuteMs)
  expect(later.find(({ audience }) => audience === 'operator')?.signals.map(({ subject }) => subject)).toEqual([
    'b@hcg.sld.cu',
  ])
  expect(later.every(({ id }) => id !== first!.id || id.includes('representative'))).toBe(true)
  // A clock set back to before it was told silences nobody.
  expect(dueSignals(signals, start - 60 * minuteMs)).toHaveLength(2)
})

test('of more than are listed none is told twice or lost', () => {
  let signals = fold(emptySignals, ...Array.from({ length: 30 }, (_, n) => raised(start, `p${n}@x.cu`, null)))
  const [due] = dueSignals(signals, start)
  const more = Array.from({ length: 5 }, (_, n) => raised(start, `q${n}@x.cu`, null))
  signals = fold(signals, ...more, sent(start, due!.id, 30))
  const [rest] = dueSignals(signals, start + 20 * minuteMs)
  expect([rest!.signals.length, rest!.more]).toEqual([0, 5])
  signals = fold(signals, sent(start + 20 * minuteMs, rest!.id, 5, 'notice.printed'))
  expect(signals.due).toEqual([])
})
