import { describe, expect, test } from 'vitest'
import { type CountedLogin, createSignals, type Sign, type Signal, windowMs } from '../../agent/decision/signals.ts'
import { createUsage } from '../../agent/decision/usage.ts'
import { defaultSignals } from '../../agent/model/signal.ts'
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
  const { alert, act } = defaultSignals.unknownRecipients
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

describe('what a login writes to', () => {
  const dayMs = 24 * windowMs
  const counted = (hour: number, more: Partial<CountedLogin> = {}): CountedLogin => {
    return { login: 'ana@uno.cu', hour, clients: 1, usual: () => undefined, allowed: () => 0, ...more }
  }

  test('sixty in an hour of who has no past, three times the usual of who has one', () => {
    const told = (hour: number, more?: Partial<CountedLogin>) =>
      createSignals()
        .noteCounted(counted(hour, more), 0)
        .map(({ code, level, count }) => `${code} ${level} ${count}`)
    expect(told(59)).toEqual([])
    expect(told(60)).toEqual(['SIG-RECIPIENTS alert 60'])
    expect(told(29, { usual: () => 10 })).toEqual([])
    expect(told(30, { usual: () => 10 })).toEqual(['SIG-RECIPIENTS alert 30'])
    // Three times nearly nothing is nothing, and a busy office is no sign.
    expect(told(19, { usual: () => 1 })).toEqual([])
    expect(told(100, { usual: () => 50 })).toEqual([])
    // A newsletter that was declared.
    expect(told(400, { allowed: () => 500 })).toEqual([])
    expect(told(501, { allowed: () => 500 })).toEqual(['SIG-RECIPIENTS alert 501'])
  })

  test('is told again after an hour, and places after a day', () => {
    const signals = createSignals()
    const told = Array.from({ length: 30 }, (_, n) => signals.noteCounted(counted(70, { clients: 11 }), n * windowMs))
    const codes = told.flat().map(({ code }) => code)
    expect(codes.filter(code => code === 'SIG-RECIPIENTS')).toHaveLength(30)
    expect(codes.filter(code => code === 'SIG-CLIENTS')).toHaveLength(2)
    expect(createSignals().noteCounted(counted(1, { clients: 10 }), 0)).toEqual([])
  })

  test('what is usual: the busiest hours of days with mail, today and one bad day left out', () => {
    const usage = createUsage()
    const start = Date.UTC(2026, 5, 1, 9)
    let name = 0
    const write = (count: number, at: number) => {
      for (let n = 0; n < count; n += 1) usage.count('ana@uno.cu', `p${name++}@who.example`, at)
    }
    for (let day = 0; day < 6; day += 1) write(10 + day, start + day * dayMs)
    expect(usage.usual('ana@uno.cu', start + 6 * dayMs)).toBeUndefined()
    write(4, start + 6 * dayMs)
    expect(usage.usual('ana@uno.cu', start + 7 * dayMs)).toBe(15)
    write(200, start + 7 * dayMs)
    expect(usage.usual('ana@uno.cu', start + 7 * dayMs)).toBe(15)
    for (let day = 8; day < 28; day += 1) write(12, start + day * dayMs)
    // Of 27 days the worst does not count.
    expect(usage.usual('ana@uno.cu', start + 28 * dayMs)).toBe(15)
    const again = createUsage()
    again.restore(JSON.parse(JSON.stringify(usage.save())))
    expect(again.usual('ana@uno.cu', start + 28 * dayMs)).toBe(15)
    // Four weeks of silence later nothing is usual any more.
    write(1, start + 70 * dayMs)
    expect(usage.usual('ana@uno.cu', start + 71 * dayMs)).toBeUndefined()
  })

  test('places are counted for a day, a network of IPv6 as one', () => {
    const usage = createUsage()
    const from = (client: string, at: number) => usage.count('ana@uno.cu', 'x@who.example', at, client).clients
    for (let n = 1; n <= 9; n += 1) expect(from(`10.1.0.${n}`, n * 1_000)).toBe(n)
    expect(from('10.1.0.3', 20_000)).toBe(9)
    expect(from('2001:db8::1', 21_000)).toBe(10)
    expect(from('2001:db8::2', 22_000)).toBe(10)
    expect(from('2001:db8:0:1::2', 23_000)).toBe(11)
    // All but the three that were seen since are a day old.
    expect(from('10.1.0.3', 20_500 + dayMs)).toBe(3)
    for (let n = 0; n < 500; n += 1) from(`10.9.${n >> 8}.${n & 255}`, 30_000 + dayMs)
    expect(from('10.1.0.3', 31_000 + dayMs)).toBeLessThanOrEqual(32)
  })
})
