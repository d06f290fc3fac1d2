import { expect, test } from 'vitest'
import { createSignals, type Sign, type Signal, thresholds, windowMs } from '../../agent/decision/signals.ts'
import { chooseSeed, createRandom } from './generate.ts'

const minuteMs = 60_000
const miss = (login = 'ana@uno.cu'): Sign => ({ code: 'SIG-UNKNOWN-RECIPIENTS', login, client: '10.1.0.1' })
const off = (login: string, client = '203.0.113.9'): Sign => ({ code: 'SIG-OFF-LAN', login, client })

function noted(signs: readonly (readonly [Sign, number])[]): Signal[] {
  const signals = createSignals()
  return signs.flatMap(([sign, at]) => [...signals.note(sign, at)])
}

test('an alert, then the act, each once', () => {
  const told = noted(Array.from({ length: 200 }, (_, n) => [miss(), n * 1_000] as const))
  expect(told.map(({ level, count, at }) => [level, count, at])).toEqual([
    ['alert', 25, 24_000],
    ['act', 50, 49_000],
  ])
})

test('a few a day are mistakes, and never a sign', () => {
  const hours = Array.from(
    { length: 24 * 24 },
    (_, n) => [miss(), Math.floor(n / 24) * windowMs + (n % 24) * minuteMs] as const,
  )
  expect(noted(hours)).toEqual([])
})

test('told again after an hour, when it goes on', () => {
  const told = noted(Array.from({ length: 180 }, (_, n) => [miss(), n * minuteMs] as const))
  expect(told.map(({ level, at }) => [level, at / minuteMs])).toEqual([
    ['alert', 24],
    ['act', 49],
    ['act', 109],
    ['act', 169],
  ])
})

test('a clock that is set back keeps nobody counted for ever', () => {
  const ahead = Array.from({ length: 24 }, () => [miss(), 10 * windowMs] as const)
  expect(noted([...ahead, [miss(), minuteMs], [miss(), 2 * minuteMs]])).toEqual([])
})

test('a clock that is set back after a signal silences nobody', () => {
  const hours = (from: number) => Array.from({ length: 5 * 60 }, (_, n) => [miss(), from + n * minuteMs] as const)
  const before = noted(hours(240 * windowMs))
  const both = noted([...hours(240 * windowMs), ...hours(0)])
  expect(before.length).toBeGreaterThan(1)
  expect(both.length).toBeGreaterThanOrEqual(2 * before.length - 1)
  const place = (at: number) => Array.from({ length: 6 }, (_, n) => [off(`p${n}@uno.cu`), at + n] as const)
  const codes = noted([...place(240 * windowMs), ...place(0)]).map(({ code }) => code)
  expect(codes.filter(code => code === 'SIG-ADDRESSING')).toHaveLength(2)
})

test('one network is one place, however its addresses are written', () => {
  const people = ['2001:db8::9', '2001:db8:0:0::8', '2001:0db8:0:1::7', '2001:db8:0:ffff::1', '2001:DB8::6']
  const told = noted(people.map((client, n) => [off(`p${n}@uno.cu`, client), n] as const))
  expect(told.at(-1)).toMatchObject({ code: 'SIG-ADDRESSING', subject: '2001:db8::/48' })
})

test('one login from outside is told at once; many from one new place are told as a place', () => {
  const people = Array.from({ length: 40 }, (_, n) => [off(`p${n}@uno.cu`, `203.0.113.${n}`), n * 1_000] as const)
  const told = noted(people)
  expect(told.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
    ...[0, 1, 2, 3].map(n => `SIG-OFF-LAN p${n}@uno.cu`),
    'SIG-ADDRESSING 203.0.113.0/24',
  ])
  expect(told.every(({ level }) => level === 'alert')).toBe(true)
  // From elsewhere it is a sign of its own again.
  expect(noted([...people, [off('p1@uno.cu', '198.51.100.1'), windowMs + 99_000]]).at(-1)).toMatchObject({
    code: 'SIG-OFF-LAN',
    subject: 'p1@uno.cu',
  })
})

test('bounces count by their share, and never of a few', () => {
  const back = (sent: number, count: number) =>
    noted(
      Array.from({ length: count }, (_, n) => [
        { code: 'SIG-BOUNCES', login: 'ana@uno.cu', client: '192.0.2.1', sent } as const,
        n * 1_000,
      ]),
    )
  expect(back(49, 49)).toEqual([])
  expect(back(100, 7)).toEqual([])
  expect(back(100, 20)).toMatchObject([{ code: 'SIG-BOUNCES', level: 'act', count: 8, at: 7_000 }])
  expect(back(1_000_000, 2_000)).toMatchObject([{ level: 'act', count: 500 }])
})

test('goes on after a restart as if there had been none', () => {
  const signs = Array.from({ length: 120 }, (_, n) => [miss(), n * minuteMs] as const)
  const whole = noted(signs)
  for (const cut of [1, 20, 25, 30, 50, 80, 119]) {
    const [first, second] = [createSignals(), createSignals()]
    const told = signs.slice(0, cut).flatMap(([sign, at]) => [...first.note(sign, at)])
    second.restore(JSON.parse(JSON.stringify(first.save())))
    told.push(...signs.slice(cut).flatMap(([sign, at]) => [...second.note(sign, at)]))
    expect(told).toEqual(whole)
  }
})

test('whatever clients do, it stays as small', () => {
  const signals = createSignals({ subjectsMax: 100 })
  for (let n = 0; n < 5_000; n += 1) {
    signals.note(miss(`p${n}@uno.cu`), n)
    signals.note(off(`p${n}@uno.cu`, `10.${n >> 8}.${n & 255}.1`), n)
  }
  expect(signals.subjects).toBeLessThanOrEqual(200)
})

test('agrees with counting all of the last hour', () => {
  const random = createRandom(chooseSeed())
  const signals = createSignals()
  const seen: { login: string; at: number }[] = []
  const last = new Map<string, { alert: number; act: number }>()
  const { alert, act } = thresholds['SIG-UNKNOWN-RECIPIENTS']
  let told = 0
  for (let at = 0, n = 0; n < 20_000; n += 1) {
    at += random.below(90_000)
    const login = `p${random.below(3)}@uno.cu`
    seen.push({ login, at })
    const count = seen.filter(one => one.login === login && one.at > at - windowMs).length
    while (seen[0]!.at <= at - windowMs) seen.shift()
    const before = last.get(login) ?? { alert: -Infinity, act: -Infinity }
    const level =
      count >= act && at - before.act >= windowMs
        ? 'act'
        : count >= alert && at - before.alert >= windowMs
          ? 'alert'
          : undefined
    if (level !== undefined) last.set(login, level === 'act' ? { alert: at, act: at } : { ...before, alert: at })
    const found = signals.note(miss(login), at)
    expect(found.map(one => one.level)).toEqual(level === undefined ? [] : [level])
    told += found.length
  }
  expect(told).toBeGreaterThan(0)
})
