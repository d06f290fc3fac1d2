/** What is due over time: after a release, beside people's own acts, and in a storm. */
import { expect, test } from 'vitest'
import { acknowledge } from '../../agent/incident/closing.ts'
import { annul, release } from '../../agent/incident/ending.ts'
import { contextOf } from '../incident/fixture.ts'
import { begin, minuteMs, Watch } from './fixture.ts'

const a = 'a@uno.cu'

test('an incident of signals says which, and by whom; the same signal declares no second one', () => {
  const watch = new Watch('enforce')
  watch.raise([['SIG-RATE', 'act', a]])
  watch.settle()
  const [incident] = watch.incidents.byId.values()
  expect(incident).toMatchObject({ declaredBy: 'daemon', class: 'spam', scope: { account: a }, isTakenUp: false })
  expect(incident?.reasons[0]?.text).toContain('SIG-RATE (50)')
  const declared = watch.entries.find(({ kind }) => kind === 'incident.declared')
  expect(declared?.facts).toMatchObject({
    breakGlass: false,
    trigger: { rule: 'account', codes: ['SIG-RATE'], signals: [0] },
  })
  // Nobody's name where it could not be erased.
  expect(JSON.stringify(declared?.facts)).not.toContain(a)
  watch.raise([['SIG-BOUNCES', 'act', a]])
  expect(watch.settle()).toEqual([])
})

test('counters start at the end of an incident: what was before closes nothing again', () => {
  const watch = new Watch('enforce')
  watch.raise([['SIG-RATE', 'act', a]])
  watch.settle()
  const [id = ''] = watch.incidents.byId.keys()
  watch.at = begin + 10 * minuteMs
  watch.annul(id)
  expect(watch.incidents.byId.get(id)?.ended?.how).toBe('annulled')
  expect(watch.settle()).toEqual([])
  watch.raise([['SIG-RATE', 'act', a, 11]])
  expect(watch.settle()).toEqual([`close ${a} account`])
})

test('accounts that people restricted count towards the three', () => {
  const watch = new Watch('enforce')
  watch.suspendBy('ana', 'p@uno.cu')
  watch.suspendBy('ana', 'q@uno.cu')
  expect(watch.settle()).toEqual([])
  watch.raise([['SIG-RATE', 'act', a, 59]])
  expect(watch.settle()).toEqual([`close ${a} account`, 'close uno.cu three-accounts'])
})

test('the daemon closes, and opens nothing: no act of an incident but suspend is its own', () => {
  const watch = new Watch('enforce')
  watch.raise([['SIG-RATE', 'act', a]])
  watch.settle()
  const [incident = ''] = watch.incidents.byId.keys()
  const daemon = { actor: { person: 'daemon', role: 'daemon' }, at: watch.at }
  // Not even with a token, and a person of that name among the people.
  const people = [{ name: 'daemon', role: 'security-lead' }]
  for (const token of [false, true]) {
    const context = { ...contextOf('ana'), ...daemon, token, people }
    for (const act of [release, annul, acknowledge])
      expect(act(watch.incidents, { incident, reason: 'x' }, context)).toMatchObject({ ok: false, exit: 77 })
  }
})

test('a false alarm counts towards no three', () => {
  const watch = new Watch('enforce')
  watch.suspendBy('ana', 'p@uno.cu')
  watch.suspendBy('ana', 'q@uno.cu')
  watch.annul([...watch.incidents.byId.keys()][0] ?? '')
  watch.raise([['SIG-RATE', 'act', a, 5]])
  expect(watch.settle()).toEqual([`close ${a} account`])
})

test('what people closed as a whole needs nothing more', () => {
  const watch = new Watch('enforce')
  watch.suspendBy('ana', 'uno.cu')
  watch.raise([
    ['SIG-RATE', 'act', a],
    ['SIG-UNKNOWN-RELAY', 'act', 'uno.cu'],
  ])
  expect(watch.settle()).toEqual([])
})

test('three in more than an hour close no domain', () => {
  const watch = new Watch('enforce')
  for (const [index, minute] of [0, 40, 80].entries()) {
    watch.raise([['SIG-RATE', 'act', `x${index}@uno.cu`, minute]])
    expect(watch.settle()).toEqual([`close x${index}@uno.cu account`])
  }
})

test('two hundred domains at once: nothing is closed, one event says how many, and it is told once', () => {
  for (const mode of ['enforce', 'observe'] as const) {
    const watch = new Watch(mode, 1_000)
    watch.raise(Array.from({ length: 200 }, (_, n) => ['SIG-BOUNCES', 'act', `a@d${n}.cu`] as const))
    expect(watch.settle()).toEqual(['storm 200 200'])
    watch.raise(Array.from({ length: 50 }, (_, n) => ['SIG-BOUNCES', 'act', `a@e${n}.cu`, 30] as const))
    expect(watch.settle()).toEqual([])
    expect(watch.incidents.byId.size).toBe(0)
    expect(watch.incidents.due.map(({ topic, words }) => [topic, words?.en])).toEqual([
      ['storm', '200 signals, 200 domains, 200 accounts'],
    ])
    // What came in it stays with people; what comes after the hour is answered again.
    watch.at = begin + 61 * minuteMs
    expect(watch.settle()).toEqual([])
    watch.raise([['SIG-BOUNCES', 'act', a, 62]])
    expect(watch.settle()).toEqual([`${mode === 'enforce' ? 'close' : 'propose'} ${a} account`])
  }
})

test('one after the other they are a storm too, and a person ends it', () => {
  const watch = new Watch('enforce', 1_000)
  const done: string[] = []
  for (let n = 0; n < 30; n += 1) {
    watch.raise([['SIG-BOUNCES', 'act', `a@d${n}.cu`, n]])
    done.push(...watch.settle())
  }
  expect(done.slice(0, 10).every(one => one.startsWith('close'))).toBe(true)
  expect(done.slice(10)).toEqual(['storm 1 1'])
  watch.resume()
  expect(watch.settle()).toEqual([])
  watch.raise([['SIG-BOUNCES', 'act', a, 31]])
  expect(watch.settle()).toEqual([`close ${a} account`])
})

test('in a small fleet three domains are no storm, the fourth is', () => {
  const watch = new Watch('enforce', 5)
  watch.raise([1, 2, 3].map(n => ['SIG-RATE', 'act', `a@d${n}.cu`] as const))
  expect(watch.settle()).toHaveLength(3)
  watch.raise([['SIG-RATE', 'act', 'a@d4.cu']])
  expect(watch.settle()).toEqual(['storm 1 1'])
})

test('a proposal for a domain reaches whoever is on call, once', () => {
  const watch = new Watch('enforce')
  watch.raise([
    ['SIG-BLOCKLIST', 'alert', 'uno.cu'],
    ['SIG-OFF-LAN', 'act', a],
  ])
  watch.settle()
  watch.raise([['SIG-BLOCKLIST', 'alert', 'uno.cu', 90]])
  expect(watch.settle()).toEqual([])
  const proposed = watch.incidents.due.filter(({ topic }) => topic === 'proposed')
  expect(proposed).toMatchObject([
    { audience: 'on-call', domain: 'uno.cu', words: { en: 'two-families: SIG-BLOCKLIST, SIG-OFF-LAN' } },
  ])
})
