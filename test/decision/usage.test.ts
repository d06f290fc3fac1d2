/** The counters of `rate`, against a list that is counted anew each time; and the policy on top of them. */
import { describe, expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { buildSnapshot, type Snapshot } from '../../agent/decision/snapshot.ts'
import { createUsage } from '../../agent/decision/usage.ts'
import type { DomainName } from '../../agent/model/name.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { estate } from '../decisions/tables.ts'
import { chooseSeed, createRandom } from './generate.ts'

const second = 1_000
const hour = 3_600 * second
const day = 24 * hour

describe('usage', () => {
  test('a recipient counts once, and no longer than its hour and day', () => {
    const usage = createUsage()
    usage.count('ana', 'x@who.example', at)
    expect(usage.after('ana', 'x@who.example', at + second)).toEqual({ hour: 1, day: 1 })
    expect(usage.after('ana', 'y@who.example', at + second)).toEqual({ hour: 2, day: 2 })
    expect(usage.after('luis', 'y@who.example', at + second)).toEqual({ hour: 1, day: 1 })
    expect(usage.after('ana', 'y@who.example', at + hour + second)).toEqual({ hour: 1, day: 2 })
    expect(usage.after('ana', 'y@who.example', at + day + second)).toEqual({ hour: 1, day: 1 })
    expect(usage.entries).toBe(0)
  })

  test('agrees with a list', () => {
    const random = createRandom(chooseSeed())
    const usage = createUsage()
    const list: { login: string; recipient: string; at: number }[] = []
    let now = Math.floor(at / second) * second
    for (let step = 0; step < 3_000; step += 1) {
      now += random.below(120) * second
      const login = random.pick(['ana', 'luis'])
      const recipient = `r${random.below(200)}@who.example`
      const within = (span: number) =>
        new Set(list.filter(one => one.login === login && one.at > now - span).map(one => one.recipient)).add(recipient)
          .size
      expect(usage.after(login, recipient, now)).toEqual({ hour: within(hour), day: within(day) })
      if (random.chance(0.7)) {
        usage.count(login, recipient, now)
        list.push({ login, recipient, at: now })
      }
    }
  })

  test('what is saved counts on elsewhere, and is refused when it is something else', () => {
    const usage = createUsage()
    for (let index = 0; index < 5; index += 1) usage.count('ana', `r${index}@who.example`, at)
    const again = createUsage()
    again.restore(structuredClone(usage.save()))
    expect(again.after('ana', 'new@who.example', at + second)).toEqual({ hour: 6, day: 6 })
    expect(again.after('ana', 'r1@who.example', at + hour)).toEqual({ hour: 1, day: 5 })
    expect(() => again.restore([['luis', [1]]])).toThrow()
    expect(() => again.restore([['luis', [1, Number.NaN]]])).toThrow()
  })

  test('memory has an end: who is silent for longest is forgotten, and one alone cannot break it', () => {
    const usage = createUsage({ entriesMax: 50 })
    for (const login of ['ana', 'luis', 'eva']) {
      for (let index = 0; index < 20; index += 1) usage.count(login, `r${index}@who.example`, at)
    }
    expect(usage.after('ana', 'new@who.example', at)).toEqual({ hour: 1, day: 1 })
    expect(usage.after('eva', 'new@who.example', at)).toEqual({ hour: 21, day: 21 })
    for (let index = 0; index < 1_000; index += 1) {
      usage.count('eva', `r${index}@who.example`, at)
      expect(usage.entries).toBeLessThanOrEqual(50)
    }
  })
})

describe('rate', () => {
  const snapshot = buildSnapshot(toWorld({ ...estate, limits: { recipientsPerHour: 3, recipientsPerDay: 5 } }))
  const usage = createUsage()
  const send = (recipient: string, now: number, login = 'libre@hcg.sld.cu') => {
    const request = { state: 'RCPT', clientAddress: '10.20.0.9', sender: login, recipient, login, instance: 'rate' }
    const decision = decide(snapshot, request, { at: now, usage })
    if (decision.spends !== null) usage.count(decision.spends.login, decision.spends.recipient, now)
    return decision
  }

  test('the recipient after the limit waits; local and repeated ones are free; an hour later it goes', () => {
    for (const name of ['a', 'b', 'c']) expect(send(`${name}@who.int`, at).effect).toBe('dunno')
    const over = send('d@who.int', at + second)
    expect(over).toMatchObject({ effect: 'defer', reason: 'rate' })
    expect(over.reply).toMatch(/^450 4\.7\.1 rate: /)
    expect(send('A@who.int.', at + second).effect).toBe('dunno')
    expect(send('profesor@hcg-docencia.sld.cu', at + second).reason).not.toBe('rate')
    // Another spelling of the login is the same account, another login is not.
    expect(send('d@who.int', at + second, 'LIBRE@hcg.sld.cu').reason).toBe('rate')
    expect(send('x@minsap.cu', at + second, 'nacional@hcg.sld.cu').effect).toBe('dunno')
    const later = at + hour + 2 * second
    for (const name of ['d', 'e']) expect(send(`${name}@who.int`, later).effect).toBe('dunno')
    expect(send('f@who.int', later)).toMatchObject({ effect: 'defer', reason: 'rate' })
    expect(send('f@who.int', later + day).effect).toBe('dunno')
  })

  test('on probation the limit is a part of it, counted from the release on, and whole again when it is over', () => {
    const since = at + 20 * day
    const until = since + 2 * hour
    const scope = { domain: 'hcg.sld.cu' as DomainName, account: null }
    const probation = { incident: 'INC-1', scope, since, until, percent: 34 }
    const world = toWorld({ ...estate, limits: { recipientsPerHour: 6, recipientsPerDay: 10 } })
    const tight = buildSnapshot({ ...world, probations: [probation] })
    const login = 'libre@hcg.sld.cu'
    const under = (snapshot: Snapshot, recipient: string, now: number) => {
      const request = { state: 'RCPT', clientAddress: '10.20.0.9', sender: login, recipient, login, instance: 'p' }
      const decision = decide(snapshot, request, { at: now, usage })
      if (decision.spends !== null) usage.count(decision.spends.login, decision.spends.recipient, now)
      return decision
    }
    // What was written before the release does not trigger again: five of six.
    for (const name of ['a', 'b', 'c', 'd', 'e']) under(buildSnapshot(world), `${name}@old.example`, since - second)
    for (const name of ['a', 'b']) expect(under(tight, `${name}@who.int`, since + second).effect).toBe('dunno')
    expect(under(tight, 'c@who.int', since + second)).toMatchObject({ reason: 'rate', source: { incident: 'INC-1' } })
    const elsewhere = { ...probation, scope: { ...scope, domain: 'clinica.example' as DomainName } }
    const others = buildSnapshot({ ...world, probations: [elsewhere] })
    expect(under(others, 'c@who.int', since + 2 * second).reason).toBe('rate')
    expect(under(tight, 'd@who.int', until).effect).toBe('dunno')
    expect(under(tight, 'e@who.int', until).effect).toBe('dunno')
  })

  test('a refused recipient spends nothing, and nobody spends for another', () => {
    const now = at + 10 * day
    const login = 'nacional@hcg.sld.cu'
    for (let index = 0; index < 10; index += 1) expect(send(`r${index}@who.int`, now, login).reason).toBe('scope-send')
    for (let index = 0; index < 10; index += 1) {
      const forged = {
        state: 'RCPT',
        clientAddress: '192.0.2.5',
        sender: login,
        recipient: `r${index}@minsap.cu`,
        login: '',
      }
      expect(decide(snapshot, { ...forged, instance: 'forged' }, { at: now, usage }).spends).toBeNull()
    }
    expect(send('x@minsap.cu', now, login).effect).toBe('dunno')
  })
})
