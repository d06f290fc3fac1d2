/** Notices from the register to the outbox: whom they reach, what they say (golden files), what no input can do to them (S38, K15, K16, T13). */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../agent/core/clock.ts'
import { silentLog } from '../../agent/core/log.ts'
import { openHolds } from '../../agent/incident/lifecycle.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { dueTimers } from '../../agent/incident/timers.ts'
import type { Language } from '../../agent/model/entity.ts'
import type { World } from '../../agent/model/world.ts'
import { deliverNotices, makeNotices } from '../../agent/notify/follow.ts'
import type { NewEntry } from '../../agent/register/register.ts'
import { type Notifier, type OutgoingNotice, ProviderFailure } from '../../providers/provider.ts'
import { formatMessage, openSpool } from '../../providers/spool/spool.ts'
import { Case, contextOf, digestA, hcg, jperez, start, store } from '../incident/fixture.ts'

const id = 'INC-2026-0001'

type Setting = {
  readonly director?: string | null
  readonly representative?: string | null
  readonly language?: Language
  readonly title?: string
}

function worldOf(incidents: Case['incidents'], setting: Setting = {}): World {
  const {
    director = 'ana.ruiz@directores.example',
    representative = 'luis.mora@correo.example',
    language = 'es',
    title = 'Hospital «Ejemplo» Ñandú',
  } = setting
  const institution = {
    title,
    language,
    director: { name: 'Ana Ruiz Pérez', email: director, phone: null },
    representative: { name: 'Luis Mora', email: representative, phone: null, id: 'R-1' },
  }
  const config = {
    operator: {
      name: 'Infomed',
      language: 'es',
      timeZone: 'America/Havana',
      security: 'seg@operator.example',
      support: null,
    },
    mail: { hostmaster: 'hostmaster@operator.example' },
  }
  return {
    config,
    holds: openHolds(incidents),
    accounts: new Map([[jperez, { account: { holder: { name: 'Juana Pérez' } } }]]),
    institutions: new Map([['hospital', institution]]),
    domains: new Map([[hcg, { domain: { name: hcg, institution: 'hospital', inboundWhenSuspended: 'defer' } }]]),
  } as unknown as World
}

function suspended(args: Partial<Parameters<typeof suspend>[1]> = {}): Case {
  const world = new Case()
  world.do(
    suspend(
      world.incidents,
      { scope: hcg, reason: 'correo masivo; ñandú', class: 'spam', drill: false, ...args },
      contextOf('ana'),
    ),
  )
  return world
}

const clock: Clock = { now: () => start + 60_000, sleep: async () => {} }
const byAudience = (world: Case, setting?: Setting) =>
  new Map(
    makeNotices(world.incidents, worldOf(world.incidents, setting)).map(({ due, notice }) => [due.audience, notice]),
  )

function entry(kind: string, facts: NewEntry['facts'], person = 'ana', personal?: NewEntry['personal']): NewEntry {
  return {
    kind,
    actor: { person, role: 'x' },
    at: '2026-07-03T15:00:00.000Z',
    subject: id,
    facts: { incident: id, domain: hcg, ...facts },
    ...(personal ? { personal } : {}),
  }
}

/** Everything that anybody is told in one life: suspended, returned, restored; annulled; withdrawn; a drill. */
function everyTopic(): readonly Case[] {
  const released = suspended()
  released.append([
    entry('report.received', { report: 1, document: digestA }),
    entry('report.returned', { report: 1 }, 'berta', { points: '1. Falta la causa.\n2. Falta el cuño.' }),
    entry('report.received', { report: 2, document: digestA }),
    entry('report.accepted', { report: 2 }, 'berta'),
    entry('action.recorded', { action: 1, day: '2026-07-02', evidence: digestA }),
    entry('action.verified', { action: 1 }, 'berta'),
    entry('secrets.rotated', { secrets: 2 }),
    entry('release.approved', {}, 'ana'),
    entry('service.restored', { mail: 'none' }, 'berta'),
  ])
  const annulled = suspended()
  annulled.append([entry('incident.annul-approved', {}, 'ana'), entry('incident.annulled', {}, 'berta')])
  const withdrawn = new Case()
  withdrawn.append([
    entry('service.withdrawn', { incident: null, grounds: 'ethics', approvedBy: ['berta'] }, 'carla', {
      reason: 'reventa de cuentas',
    }),
  ])
  return [released, annulled, withdrawn, suspended({ drill: true })]
}

describe('whom a notice reaches', () => {
  test('director and representative outside, and the operator’s security contact', () => {
    const to = [...byAudience(suspended())].map(([audience, notice]) => `${audience} ${notice?.to}`)
    expect(to).toEqual([
      'director ana.ruiz@directores.example',
      'representative luis.mora@correo.example',
      'operator seg@operator.example',
    ])
  })

  test.each([
    ['inside the suspended domain', hcg, 'director@hcg.example'],
    ['missing', hcg, null],
    ['no address', hcg, 'director at hcg'],
    ['inside the domain of a suspended account', 'jperez@hcg.example', 'director@HCG.example'],
  ])('a director’s address that is %s becomes a letter', (_, scope, director) => {
    const notice = byAudience(suspended({ scope }), { director }).get('director')
    expect(notice).toMatchObject({ to: null, toName: 'Ana Ruiz Pérez' })
    expect(notice?.text).toContain('Ana Ruiz Pérez')
  })

  test('an address inside another domain that is suspended is no way out either', () => {
    const world = suspended()
    world.do(
      suspend(world.incidents, { scope: 'otra.example', reason: 'r', class: 'dos', drill: false }, contextOf('ana')),
    )
    const made = makeNotices(world.incidents, worldOf(world.incidents, { director: 'ana@otra.example' }))
    expect(made.find(({ due }) => due.id === 'n0-director')?.notice).toMatchObject({ to: null })
  })

  test('of one account the institution is told whose it is, since its holder can’t read it there', () => {
    const notices = byAudience(suspended({ scope: jperez }))
    for (const audience of ['director', 'representative'] as const)
      expect(notices.get(audience)?.text).toContain('La cuenta es de Juana Pérez: avísele por otra vía')
    expect(byAudience(suspended()).get('director')?.text).not.toContain('La cuenta es de')
  })

  test('a drill is marked, and goes to the operator alone', () => {
    const notices = byAudience(suspended({ drill: true }))
    expect([...notices.keys()]).toEqual(['operator'])
    expect(notices.get('operator')?.subject).toMatch(/^SIMULACRO /)
  })
})

describe('what they say', () => {
  test.each(['es', 'en'] as const)('golden: %s', async language => {
    const texts = everyTopic().flatMap(world =>
      makeNotices(world.incidents, worldOf(world.incidents, { language }))
        .filter(({ due }) => due.audience !== 'representative')
        .map(
          ({ due, notice }) => `=== ${due.topic} ${due.audience} ${notice?.to}\n${notice?.subject}\n\n${notice?.text}`,
        ),
    )
    await expect(texts.join('\n')).toMatchFileSnapshot(`golden/notices.${language}.txt`)
  })

  test('no notice names a deadline: none is confirmed (mission section 4)', () => {
    for (const language of ['es', 'en'] as const)
      for (const world of everyTopic())
        for (const { notice } of makeNotices(world.incidents, worldOf(world.incidents, { language })))
          expect(notice?.text).not.toMatch(/\b(plazo|deadline|within|antes del|horas|hours|days|días)\b/i)
  })

  test('both times stand in the director’s notice', () => {
    const text = byAudience(suspended()).get('director')?.text ?? ''
    expect(text).toContain('2026-07-01 11:00')
    expect(text).toContain('2026-07-01 15:00 UTC')
  })
})

describe('what no input can do (K15, K16, T13, T14)', () => {
  const injections = [
    'x\r\nBcc: victim@otra.example',
    'x\nTo: victim@otra.example\n\nbody',
    'x\u0000y',
    'x\u2028Bcc: victim@otra.example',
    '{{ operator }}{% include "/etc/passwd" %}',
    '{% for i in (1..100000000) %}x{% endfor %}',
    '{{ "".constructor.constructor("return process")() }}',
    '=?UTF-8?Q?x=0D=0ABcc:_victim@otra.example?=',
  ]

  test.each(injections)('a reason and a title as %j stay text', text => {
    const world = suspended({ reason: text })
    const began = performance.now()
    for (const { notice } of makeNotices(world.incidents, worldOf(world.incidents, { title: text }))) {
      if (notice === null || notice.to === null) throw new Error('not made')
      expect(notice.subject).not.toMatch(/[\r\n\0]/)
      const [head = ''] = formatMessage(notice).split('\r\n\r\n')
      const names = head.split(/\r\n(?! )/).map(line => line.split(':')[0])
      expect(names).toEqual([
        'Date',
        'From',
        'To',
        'Subject',
        'Message-ID',
        'Auto-Submitted',
        'MIME-Version',
        'Content-Type',
        'Content-Transfer-Encoding',
      ])
      expect(notice.text).not.toContain('root:')
      // What looks like a template is carried as it was written.
      if (text.startsWith('{')) expect(notice.text).toContain(text.slice(0, 12))
    }
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  const plain: OutgoingNotice = {
    id: 'n1-director',
    to: 'a@b.example',
    toName: 'A',
    from: 'seg@operator.example',
    subject: 's',
    text: 't\n',
    at: start,
  }

  test.each([
    ['to', 'a@b.example\r\nBcc: c@d.example'],
    ['to', 'a@b.example, c@d.example'],
    ['to', '"a\r\n"@b.example'],
    ['to', 'a@b.example>\r\nRCPT TO:<c@d.example'],
    ['to', 'a\u0000@b.example'],
    ['from', 'a@b.example\nX: y'],
  ])('%s as %j is no address', (key, value) => {
    expect(() => formatMessage({ ...plain, [key]: value })).toThrow(/not an address/)
  })

  test('a subject with line ends and letters beyond ASCII is one header of encoded words of 75 characters at most', () => {
    const subject = `${'Suspensión del año ñandú 🐦 '.repeat(8)}\r\nBcc: c@d.example`
    const message = formatMessage({ ...plain, subject })
    const header = /\r\nSubject: ((?:.*\r\n )*.*)\r\n/.exec(message)?.[1] ?? ''
    const words = header.split('\r\n ')
    expect(words.every(word => word.length <= 75 && /^=\?UTF-8\?B\?[A-Za-z0-9+/=]+\?=$/.test(word))).toBe(true)
    const decoded = words.map(word => Buffer.from(word.slice(10, -2), 'base64').toString()).join('')
    expect(decoded.trimEnd()).toBe(subject.replaceAll(/[\r\n]/g, ' ').trimEnd())
    expect(message).not.toMatch(/\r\nBcc/)
    expect(Buffer.from(message.split('\r\n\r\n')[1] ?? '', 'base64').toString()).toBe('t\r\n')
  })
})

describe('the outbox', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mw-outbox-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const list = () =>
    (readdirSync(folder, { recursive: true, encoding: 'utf8' }) as string[]).filter(name => name.includes('.')).sort()
  const deliver = (
    world: Case,
    notifier: Notifier,
    setting?: Setting,
    onAppend = (entries: readonly NewEntry[]) => world.append(entries),
  ) =>
    deliverNotices(makeNotices(world.incidents, worldOf(world.incidents, setting)), {
      notifier,
      clock,
      log: silentLog,
      async append(entries) {
        onAppend(entries)
        return entries.map(store)
      },
    })

  test('messages and letters are whole files, each on record, and nothing is due any more', async () => {
    const world = suspended()
    await deliver(world, openSpool({ folder }), { director: null })
    expect(list()).toEqual([join('letters', 'n0-director.txt'), 'n0-operator.eml', 'n0-representative.eml'])
    expect(world.entries.slice(1).map(({ kind, facts }) => `${kind} ${facts['notice']}`)).toEqual([
      'notice.printed n0-director',
      'notice.sent n0-representative',
      'notice.sent n0-operator',
    ])
    expect(world.incidents.due).toEqual([])
    expect(JSON.stringify(world.entries.slice(1).map(({ facts }) => facts))).not.toContain('@')
    await deliver(world, openSpool({ folder }))
    expect(world.entries).toHaveLength(4)
  })

  test('a crash between the file and the entry repeats the same file, byte for byte', async () => {
    const world = suspended()
    const crash = () => {
      throw new Error('power cut')
    }
    await expect(deliver(world, openSpool({ folder }), {}, crash)).rejects.toThrow('power cut')
    const [name = ''] = list()
    const before = readFileSync(join(folder, name), 'utf8')
    expect(world.incidents.due).toHaveLength(3)
    await deliver(world, openSpool({ folder }))
    expect(readFileSync(join(folder, name), 'utf8')).toBe(before)
    expect(list()).toHaveLength(3)
    expect(/\r\nMessage-ID: <n0-director@operator\.example>\r\n/.test(before)).toBe(true)
  })

  test('a notice that can’t leave stays due, holds back no other, and lifts nothing', async () => {
    const world = suspended()
    const spool = openSpool({ folder })
    const broken: Notifier = {
      send: notice => (notice.id === 'n0-director' ? Promise.reject(new Error('disk full')) : spool.send(notice)),
    }
    await deliver(world, broken)
    expect(world.incidents.due.map(({ audience }) => audience)).toEqual(['director'])
    expect(openHolds(world.incidents)).toHaveLength(1)
  })

  test('what a server refuses for good is tried once: the director gets a letter, and it is on record', async () => {
    const world = suspended()
    const spool = openSpool({ folder })
    let asked = 0
    const refusing: Notifier = {
      send(notice) {
        if (notice.to === null) return spool.send(notice)
        asked += 1
        return Promise.reject(new ProviderFailure('rejected', 'said: 550 5.1.1 no such user', { retry: 'never' }))
      },
    }
    await deliver(world, refusing)
    expect(world.incidents.due).toEqual([])
    expect(list()).toEqual([join('letters', 'n0-director.txt')])
    expect(world.entries.slice(1).map(({ kind, facts }) => [kind, facts['audience'], facts['nobody']])).toEqual([
      ['notice.printed', 'director', false],
      ['notice.printed', 'representative', true],
      ['notice.printed', 'operator', true],
    ])
    for (const { facts } of world.entries.slice(1)) expect(facts['refused']).toContain('550')
    await deliver(world, refusing)
    expect(asked).toBe(3)
  })

  test('a server that does not answer for an hour: the director gets a letter, the others wait, and nothing is lifted', async () => {
    const world = suspended()
    const spool = openSpool({ folder })
    const silent: Notifier = {
      send: notice =>
        notice.to === null
          ? spool.send(notice)
          : Promise.reject(new ProviderFailure('timeout', 'no answer', { retry: 'later' })),
    }
    const deliverAt = (now: number) =>
      deliverNotices(makeNotices(world.incidents, worldOf(world.incidents)), {
        notifier: silent,
        append: async entries => {
          world.append(entries)
          return []
        },
        clock: { now: () => now, sleep: async () => {} },
        log: silentLog,
      })
    await deliverAt(start + 3_600_000)
    expect(list()).toEqual([])
    await deliverAt(start + 3_600_001)
    expect(list()).toEqual([join('letters', 'n0-director.txt')])
    expect(world.incidents.due.map(({ audience }) => audience)).toEqual(['representative', 'operator'])
    expect(openHolds(world.incidents)).toHaveLength(1)
    await deliverAt(start + 7_200_000)
    expect(list()).toHaveLength(1)
  })

  test.each([
    ['es', 'Falta el informe de análisis', 'puertas sin cerrar'],
    ['en', 'The analysis report is owed', 'doors not closed'],
  ] as const)('what time makes due, in %s: to the institution, and to who is on call', (language, reminder, alarm) => {
    const world = suspended()
    const estate = worldOf(world.incidents, { language })
    const operator = { ...estate.config.operator, language, onCall: ['uno@guardia.example', 'dos@guardia.example'] }
    const known = { ...estate, config: { ...estate.config, operator } } as unknown as World
    const timers = dueTimers(world.incidents, start + 73 * 3_600_000, 2)
    const made = makeNotices({ ...world.incidents, due: [] }, known, timers)
    expect(made.map(({ failure }) => failure)).toEqual(made.map(() => undefined))
    const to = (audience: string) => made.find(one => one.due.audience === audience)?.notice
    expect(to('director')?.subject).toContain(reminder)
    expect(to('director')?.text).toContain('seg@operator.example')
    expect([to('on-call')?.to, to('on-call')?.subject]).toEqual(['dos@guardia.example', expect.stringContaining(alarm)])
    // A reason may name a victim: it stays with the operator.
    expect(to('director')?.text).not.toContain('ñandú')
  })

  test('a refusal of the login is no refusal of the notice', async () => {
    const world = suspended()
    const failure = new ProviderFailure('unauthorized', 'said: 535', { retry: 'never' })
    await deliver(world, { send: () => Promise.reject(failure) })
    expect(world.incidents.due).toHaveLength(3)
  })

  test('an id that is no file name is refused', async () => {
    const bad: OutgoingNotice = {
      id: '../x',
      to: null,
      toName: '',
      from: 'seg@operator.example',
      subject: '',
      text: '',
      at: 0,
    }
    await expect(openSpool({ folder }).send(bad)).rejects.toThrow(/file name/)
    expect(list()).toEqual([])
  })
})
