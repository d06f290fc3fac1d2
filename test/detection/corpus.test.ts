/** The corpus of signals: each does what mission section 8 lets it do on its pattern, and nothing on its trap. */
import { expect, test } from 'vitest'
import { signalCodes } from '../../agent/decision/signals.ts'
import { signOf, signs } from '../../agent/detection/signs.ts'
import { type Raised, Watch } from './fixture.ts'

const a = 'a@uno.cu'
const b = 'b@uno.cu'
const c = 'c@uno.cu'
const d = 'd@uno.cu'
const admin = 'admin@uno.cu'

type Case = readonly [name: string, signals: readonly Raised[], done: readonly string[]]

const cases: readonly Case[] = [
  ['recipients that do not exist restrict', [['SIG-UNKNOWN-RECIPIENTS', 'act', a]], [`close ${a} account`]],
  ['a dead internal list, below the level', [['SIG-UNKNOWN-RECIPIENTS', 'alert', a]], []],
  ['bounces restrict', [['SIG-BOUNCES', 'act', a]], [`close ${a} account`]],
  ['volume restricts', [['SIG-RATE', 'act', a]], [`close ${a} account`]],
  ['a login that succeeded outside restricts', [['SIG-OFF-LAN', 'act', a]], [`close ${a} account`]],
  ['one that was refused outside is told', [['SIG-OFF-LAN', 'alert', a]], []],
  ['many from one new prefix are changed addressing', [['SIG-ADDRESSING', 'alert', '203.0.113.0/24']], []],
  ['even if it were told of a login', [['SIG-ADDRESSING', 'act', a]], []],
  ['mail beyond the scope is told', [['SIG-SCOPE', 'act', a]], []],
  ['more than is usual is told', [['SIG-RECIPIENTS', 'alert', a]], []],
  ['more places than is usual too', [['SIG-CLIENTS', 'alert', a]], []],
  ['wrong passwords close nobody', Array.from({ length: 10_000 }, () => ['SIG-AUTH-FAILURES', 'act', a] as const), []],
  ['one abuse report is told', [['SIG-ABUSE-REPORT', 'alert', a]], []],
  ['three restrict', [['SIG-ABUSE-REPORT', 'act', a]], [`close ${a} account`]],
  ['a listing alone is told', [['SIG-BLOCKLIST', 'alert', 'uno.cu']], []],
  ['the listing of a relay too', [['SIG-BLOCKLIST-RELAY', 'alert', '192.0.2.1']], []],
  [
    'with another family it is for a person',
    [
      ['SIG-BLOCKLIST', 'alert', 'uno.cu'],
      ['SIG-BOUNCES', 'act', a],
    ],
    [`close ${a} account`, 'propose uno.cu two-families'],
  ],
  ['a queue that grows is told', [['SIG-QUEUE', 'act', 'uno.cu']], []],
  [
    'mail of no registered account closes the domain',
    [['SIG-UNKNOWN-RELAY', 'act', 'uno.cu']],
    ['close uno.cu unregistered'],
  ],
  ['one relay that is refused is told', [['SIG-UNKNOWN-RELAY', 'alert', 'uno.cu']], []],
  [
    'two of one family are one witness',
    [
      ['SIG-OFF-LAN', 'act', a],
      ['SIG-OFF-LAN', 'act', b],
    ],
    [`close ${a} account`, `close ${b} account`],
  ],
  [
    'a second family on the administrator confirms it',
    [
      ['SIG-OFF-LAN', 'act', admin],
      ['SIG-RATE', 'act', admin],
    ],
    [`close ${admin} account`, 'close uno.cu administrator'],
  ],
  ['one family on the administrator restricts him', [['SIG-OFF-LAN', 'act', admin]], [`close ${admin} account`]],
  [
    'three accounts within the hour close the domain, and the fourth needs nothing more',
    [
      ['SIG-RATE', 'act', a, 0],
      ['SIG-RATE', 'act', b, 20],
      ['SIG-RATE', 'act', c, 50],
      ['SIG-RATE', 'act', d, 51],
    ],
    [`close ${a} account`, `close ${b} account`, `close ${c} account`, 'close uno.cu three-accounts'],
  ],
  ['a stranger is nobody of ours', [['SIG-RATE', 'act', 'x@who.int']], []],
  ['a code that is not known does nothing', [['SIG-NEW', 'act', a]], []],
  [
    'what is over an hour old closes nothing',
    [
      ['SIG-RATE', 'act', a, 0],
      ['SIG-SCOPE', 'alert', b, 61],
    ],
    [],
  ],
]

test.each(cases)('%s', (_, signals, done) => {
  const watch = new Watch('enforce')
  watch.raise(signals)
  expect(watch.settle()).toEqual(done)
  expect(watch.settle()).toEqual([])
})

test('whatever live decisions raise has its row', () => {
  for (const code of signalCodes) expect(signOf(code), code).toBeDefined()
})

test('the corpus has a case of every code', () => {
  const told = new Set(cases.flatMap(([, signals]) => signals.map(([code]) => code)))
  for (const code of Object.keys(signs)) expect(told, code).toContain(code)
})

test.each(cases)('observed, nothing is closed: %s', (_, signals, done) => {
  const watch = new Watch('observe')
  watch.raise(signals)
  expect(watch.settle()).toEqual(done.map(one => one.replace(/^close/, 'propose')))
  expect(watch.incidents.byId.size).toBe(0)
})

test.each(cases)('off, nothing is done: %s', (_, signals) => {
  const watch = new Watch('off')
  watch.raise(signals)
  expect(watch.settle()).toEqual([])
})
