/** Acts on incidents, refusal by refusal: who may, what is missing, with which code and exit (S36 to S41, K3, K4). */
import { describe, expect, test } from 'vitest'
import { dayMs } from '../../agent/core/clock.ts'
import { actMessages, actPhrases } from '../../agent/core/messages-acts.ts'
import type { ActContext, ActResult } from '../../agent/incident/acting.ts'
import { annul, release, withdraw } from '../../agent/incident/ending.ts'
import { isAuthor, stateOf } from '../../agent/incident/gate.ts'
import { openHolds } from '../../agent/incident/lifecycle.ts'
import { decideMail } from '../../agent/incident/mail-acts.ts'
import { fileReport, recordAction, reviewReport, verifyAction } from '../../agent/incident/papers.ts'
import { leverEntries, rotate } from '../../agent/incident/recovery.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { Case, contextOf, digestA, digestB, hcg, jperez, reportFields, staff, start } from './fixture.ts'

const id = 'INC-2026-0001'

/** What a result says: its exit, and its codes with the reasons of the two-person rule. */
function seen(result: ActResult): unknown[] {
  if (result.ok) return [result.exit, result.message.code, ...result.warnings.map(({ code }) => code)]
  return [
    result.exit,
    ...result.refusals.map(({ code, values }) => (code === 'E-TWO-PERSON' ? `${code} ${values['reason']}` : code)),
  ]
}

function suspended(who = 'saul', args: Partial<Parameters<typeof suspend>[1]> = {}): Case {
  const world = new Case()
  world.do(
    suspend(
      world.incidents,
      { scope: hcg, reason: 'correo masivo', class: 'spam', drill: false, ...args },
      contextOf(who),
    ),
  )
  return world
}

/** Up to the gate: nothing is missing but the two people. */
function ready(args: { author?: string } = {}): Case {
  const world = suspended()
  const file = { incident: id, fields: reportFields(id, args.author), document: digestA }
  world.do(fileReport(world.incidents, file, contextOf('gema')))
  world.do(reviewReport(world.incidents, { incident: id, result: 'accepted' }, contextOf('berta')))
  const action = { incident: id, what: 'limpieza', who: 'Marta Gil', day: '2026-07-01', evidence: digestB }
  world.do(recordAction(world.incidents, action, contextOf('gema')))
  world.do(verifyAction(world.incidents, { incident: id, action: 1 }, contextOf('ana')))
  world.do(rotate(world.incidents, { incident: id, proof: { expected: 2, rotated: 2 } }, contextOf('saul')))
  return world
}

const releaseBy = (world: Case, person: string, changes: Partial<ActContext> = {}) =>
  seen(world.do(release(world.incidents, { incident: id }, contextOf(person, changes))))

describe('suspend', () => {
  test('one person, no approval: the hold is there with the entry', () => {
    const world = suspended('local:root')
    expect(openHolds(world.incidents)).toEqual([
      {
        incident: id,
        scope: { domain: hcg, account: null },
        levers: ['send', 'receive', 'login', 'submission', 'collection', 'administrator', 'relay'],
        since: start,
      },
    ])
    expect(world.entries[0]).toMatchObject({
      kind: 'incident.declared',
      rule: 'S37',
      facts: { breakGlass: true },
      personal: { reason: 'correo masivo' },
    })
  })

  test('the account and the reason are personal, the domain and the levers are facts', () => {
    const world = suspended('ana', { scope: jperez, only: ['login', 'send'] })
    expect(JSON.stringify(world.entries[0]?.facts)).not.toContain('jperez')
    expect(openHolds(world.incidents)[0]).toMatchObject({
      scope: { domain: hcg, account: jperez },
      levers: ['send', 'login'],
    })
  })

  test.each([
    ['a scope that nobody knows', { scope: 'hcgg.example' }, ['E-SCOPE-UNKNOWN']],
    ['no scope at all', { scope: 'no es un nombre' }, ['E-SCOPE-UNKNOWN']],
    ['an unknown class', { class: 'spamm' }, ['E-CLASS']],
    ['an unknown lever', { only: ['send', 'sendd'] }, ['E-LEVER']],
    ['no lever', { only: [] }, ['E-LEVER']],
    ['no reason', { reason: '  ' }, ['E-REASON']],
    ['a reason as long as a paper', { reason: 'x'.repeat(2001) }, ['E-REASON']],
    [
      'all of it at once',
      { scope: 'x', class: 'y', only: ['z'], reason: '' },
      ['E-SCOPE-UNKNOWN', 'E-CLASS', 'E-LEVER', 'E-REASON'],
    ],
  ])('%s is refused with 65 and records nothing', (_, args, codes) => {
    const result = suspend(
      new Case().incidents,
      { scope: hcg, reason: 'r', class: 'spam', drill: false, ...args },
      contextOf('ana'),
    )
    expect(seen(result)).toEqual([65, ...codes])
  })

  test('a wrong word brings the right one', () => {
    const result = suspend(
      new Case().incidents,
      { scope: 'hcgg.example', reason: 'r', class: 'spamm', drill: false },
      contextOf('ana'),
    )
    expect(result.ok ? [] : result.refusals.map(({ suggestion }) => suggestion)).toEqual([hcg, 'spam'])
  })

  test('with broken manifests an unknown scope is closed all the same, and said', () => {
    const unknownScope = () => ({ domain: 'nueva.example' as never, account: null })
    const result = suspend(
      new Case().incidents,
      { scope: 'nueva.example', reason: 'r', class: 'spam', drill: false },
      contextOf('ana', { unknownScope }),
    )
    expect(seen(result)).toEqual([0, 'M-SUSPENDED', 'W-SCOPE-UNKNOWN'])
  })

  test('a second one answers "already" and adds its reason (P13)', () => {
    const world = suspended()
    const again = suspend(
      world.incidents,
      { scope: hcg, reason: 'otra queja', class: 'phishing', drill: false },
      contextOf('rosa'),
    )
    expect(seen(world.do(again))).toEqual([0, 'M-SUSPENDED-ALREADY'])
    expect(world.get(id).reasons.map(({ text, by }) => `${by}: ${text}`)).toEqual([
      'saul: correo masivo',
      'rosa: otra queja',
    ])
    expect(openHolds(world.incidents)).toHaveLength(1)
  })

  test('more levers, then the whole domain: the same case grows, and its rotation no longer counts', () => {
    const world = suspended('ana', { scope: jperez, only: ['send'] })
    world.do(rotate(world.incidents, { incident: id, proof: { expected: 1, rotated: 1 } }, contextOf('saul')))
    const wider = (scope: string, only?: string[]) =>
      suspend(
        world.incidents,
        { scope, reason: 'más', class: 'spam', drill: false, ...(only ? { only } : {}) },
        contextOf('berta'),
      )
    expect(seen(world.do(wider(jperez, ['login'])))).toEqual([0, 'M-WIDENED'])
    expect(world.get(id)).toMatchObject({ levers: ['send', 'login'], scope: { account: jperez } })
    expect(world.get(id).rotation).not.toBeNull()
    expect(seen(world.do(wider(hcg)))).toEqual([0, 'M-WIDENED'])
    expect(world.get(id)).toMatchObject({
      scope: { domain: hcg, account: null },
      rotation: null,
      declarers: ['ana', 'berta'],
    })
    expect(world.get(id).levers).toHaveLength(7)
  })

  test('a domain suspended for another kind of misuse is another case', () => {
    const world = suspended('ana', { scope: jperez })
    world.do(suspend(world.incidents, { scope: hcg, reason: 'r', class: 'dos', drill: false }, contextOf('ana')))
    expect(openHolds(world.incidents).map(({ incident }) => incident)).toEqual([id, 'INC-2026-0002'])
  })

  test('an account inside a closed domain is "already"; a drill never joins what is real', () => {
    const world = suspended()
    expect(
      seen(
        world.do(
          suspend(world.incidents, { scope: jperez, reason: 'r', class: 'spam', drill: false }, contextOf('ana')),
        ),
      ),
    ).toEqual([0, 'M-SUSPENDED-ALREADY'])
    expect(
      seen(
        world.do(suspend(world.incidents, { scope: hcg, reason: 'r', class: 'test', drill: true }, contextOf('ana'))),
      ),
    ).toEqual([0, 'M-DRILL'])
    expect(openHolds(world.incidents).map(({ incident }) => incident)).toEqual([id])
  })

  test('numbers run through the year of the operator’s zone', () => {
    const world = suspended()
    const at = Date.parse('2027-01-01T03:00:00Z') // still 2026 in Havana
    world.do(
      suspend(
        world.incidents,
        { scope: 'otra.example', reason: 'r', class: 'spam', drill: false },
        contextOf('ana', { at }),
      ),
    )
    world.do(
      suspend(
        world.incidents,
        { scope: 'mlopez@hcg.example', reason: 'r', class: 'dos', drill: true },
        contextOf('ana', { at: at + dayMs }),
      ),
    )
    expect([...world.incidents.byId.keys()]).toEqual([id, 'INC-2026-0002', 'INC-2027-0001'])
  })
})

describe('who may (mission section 10, K4)', () => {
  const everyAct: Record<string, (world: Case, context: ActContext) => ActResult> = {
    suspend: (world, context) =>
      suspend(world.incidents, { scope: hcg, reason: 'r', class: 'spam', drill: false }, context),
    report: (world, context) =>
      fileReport(world.incidents, { incident: id, fields: reportFields(id), document: digestA }, context),
    accept: (world, context) => reviewReport(world.incidents, { incident: id, result: 'accepted' }, context),
    return: (world, context) =>
      reviewReport(world.incidents, { incident: id, result: 'returned', points: 'p' }, context),
    action: (world, context) =>
      recordAction(
        world.incidents,
        { incident: id, what: 'w', who: 'x', day: '2026-07-01', evidence: digestA },
        context,
      ),
    verify: (world, context) => verifyAction(world.incidents, { incident: id, action: 1 }, context),
    rotate: (world, context) => rotate(world.incidents, { incident: id, proof: { expected: 1, rotated: 1 } }, context),
    mail: (world, context) => decideMail(world.incidents, { incident: id, decision: 'keep' }, context),
    release: (world, context) => release(world.incidents, { incident: id }, context),
    annul: (world, context) => annul(world.incidents, { incident: id, reason: 'r' }, context),
    withdraw: (world, context) => withdraw(world.incidents, { domain: hcg, grounds: 'ethics', reason: '' }, context),
  }
  const may: Record<string, readonly string[]> = {
    suspend: ['ana', 'berta', 'saul', 'local:root'],
    report: ['ana', 'berta', 'gema'],
    accept: ['ana', 'berta'],
    return: ['ana', 'berta'],
    action: ['ana', 'berta', 'gema'],
    verify: ['ana', 'berta'],
    rotate: ['ana', 'berta', 'saul'],
    mail: ['ana', 'berta'],
    release: ['ana', 'berta'],
    annul: ['ana', 'berta'],
    withdraw: ['berta'],
  }
  const rows = Object.keys(everyAct).flatMap(act =>
    ['ana', 'berta', 'saul', 'gema', 'aida', 'local:root', 'nobody'].map(person => [act, person] as const),
  )

  test.each(rows)('%s by %s', (act, person) => {
    const result = everyAct[act]?.(ready(), contextOf(person)) as ActResult
    const denied = !result.ok && result.exit === 77
    expect(denied).toBe(!may[act]?.includes(person))
    if (denied) expect(seen(result)).toEqual([77, person === 'aida' ? 'E-READ-ONLY' : 'E-NOT-ALLOWED'])
  })

  test('a person who left the configuration has no power, whatever the caller says of the role', () => {
    const people = staff.filter(({ name }) => name !== 'berta')
    const context = { ...contextOf('berta', { people }), actor: { person: 'berta', role: 'security-lead' } }
    expect(seen(withdraw(new Case().incidents, { domain: hcg, grounds: 'ethics', reason: '' }, context))).toEqual([
      77,
      'E-NOT-ALLOWED',
    ])
  })
})

describe('report and actions', () => {
  const file = (fields: unknown, paper: { document?: string } = { document: digestA }) =>
    fileReport(suspended().incidents, { incident: id, fields, document: paper.document }, contextOf('gema'))

  test('every missing field is named at once', () => {
    const result = file(undefined, {})
    const named = result.ok ? [] : result.refusals.flatMap(({ values }) => values['missing']?.split(', '))
    expect(seen(result)).toEqual([65, 'E-REPORT-INCOMPLETE', 'E-REPORT-INCOMPLETE'])
    expect(named).toEqual([...Object.keys(reportFields(id)), 'document'])
  })

  test.each([
    ['author', ''],
    ['days', ['x']],
    ['commission', []],
    ['start', '2026-02-30'],
    ['signed', false],
    ['stamped', 'sí'],
    ['incident', 'INC-2026-0002'],
    ['accounts', 7],
    ['__proto__', null],
  ])('%s as %j', (name, value) => {
    const fields = { ...reportFields(id), [name]: value }
    const result = file(name === '__proto__' ? Object.create(reportFields(id)) : fields)
    expect(result.ok).toBe(false)
    if (!result.ok && name !== '__proto__') expect(result.refusals[0]?.values['missing']).toBe(name)
  })

  test('a row that lacks something is named with its place', () => {
    const result = file({ ...reportFields(id), evidence: [{ what: 'x', digest: digestA }, { what: 'y' }] })
    expect(result.ok ? '' : result.refusals[0]?.values['missing']).toBe('evidence[1].digest')
  })

  test('a report of 64 KB and more is refused; what it says is personal', () => {
    expect(seen(file({ ...reportFields(id), cause: 'x'.repeat(70_000) }))).toEqual([65, 'E-REPORT-SIZE'])
    const world = suspended()
    world.do(
      fileReport(world.incidents, { incident: id, fields: reportFields(id), document: digestA }, contextOf('gema')),
    )
    expect(JSON.stringify(world.entries.at(-1)?.facts)).not.toMatch(/Luis|Marta|jperez/)
    expect(world.entries.at(-1)?.personal).toMatchObject({ author: 'Luis Mora', fields: { cause: 'phishing' } })
    expect(stateOf(world.get(id), 'none')).toBe('containing')
  })

  test('nobody reviews a report of their own, by any spelling of the name', () => {
    for (const author of ['berta', ' Berta ', 'BERTA']) {
      const world = suspended()
      world.do(
        fileReport(
          world.incidents,
          { incident: id, fields: reportFields(id, author), document: digestA },
          contextOf('gema'),
        ),
      )
      expect(seen(reviewReport(world.incidents, { incident: id, result: 'accepted' }, contextOf('berta')))).toEqual([
        3,
        'E-TWO-PERSON own-report',
      ])
      expect(seen(reviewReport(world.incidents, { incident: id, result: 'accepted' }, contextOf('carla')))).toEqual([
        0,
        'M-REPORT-ACCEPTED',
      ])
    }
  })

  test('whoever files a report leaves it to another to review, and may still be one of two who release', () => {
    const world = suspended()
    world.do(
      fileReport(world.incidents, { incident: id, fields: reportFields(id), document: digestA }, contextOf('ana')),
    )
    const accept = (person: string) =>
      seen(reviewReport(world.incidents, { incident: id, result: 'accepted' }, contextOf(person)))
    expect(accept('ana')).toEqual([3, 'E-TWO-PERSON own-filing'])
    expect(accept('berta')).toEqual([0, 'M-REPORT-ACCEPTED'])
    expect(isAuthor(world.get(id), 'ana')).toBe(false)
  })

  test('without a report there is nothing to accept; a return needs its points', () => {
    expect(seen(reviewReport(suspended().incidents, { incident: id, result: 'accepted' }, contextOf('berta')))).toEqual(
      [3, 'E-NO-REPORT'],
    )
    const world = suspended()
    world.do(
      fileReport(world.incidents, { incident: id, fields: reportFields(id), document: digestA }, contextOf('gema')),
    )
    expect(
      seen(reviewReport(world.incidents, { incident: id, result: 'returned', points: ' ' }, contextOf('berta'))),
    ).toEqual([65, 'E-POINTS'])
  })

  test.each([
    [{ what: '' }, 'what'],
    [{ who: undefined }, 'who'],
    [{ day: '2026-07-02' }, 'day'],
    [{ day: '1 de julio' }, 'day'],
    [{ evidence: 'acta' }, 'evidence'],
    [{ what: undefined, who: '', day: undefined, evidence: undefined }, 'what, who, day, evidence'],
  ])('an action with %j lacks %s', (changes, missing) => {
    const args = { incident: id, what: 'w', who: 'x', day: '2026-07-01', evidence: digestA, ...changes }
    const result = recordAction(suspended().incidents, args, contextOf('gema'))
    expect(seen(result)).toEqual([65, 'E-ACTION-INCOMPLETE'])
    expect(result.ok ? '' : result.refusals[0]?.values['missing']).toBe(missing)
  })

  test('an action is verified by another person or by a check that passed', () => {
    const world = suspended()
    world.do(
      recordAction(
        world.incidents,
        { incident: id, what: 'w', who: 'Ana', day: '2026-07-01', evidence: digestA },
        contextOf('rosa'),
      ),
    )
    const daemon = { ...contextOf('daemon'), actor: { person: 'daemon', role: 'daemon' } }
    const check = (passed: boolean) =>
      verifyAction(
        world.incidents,
        { incident: id, action: 1, check: { name: 'login-probe', passed, digest: digestB } },
        daemon,
      )
    expect(seen(verifyAction(world.incidents, { incident: id, action: 1 }, contextOf('ana')))).toEqual([
      3,
      'E-TWO-PERSON own-action',
    ])
    expect(seen(verifyAction(world.incidents, { incident: id, action: 2 }, contextOf('ana')))).toEqual([
      65,
      'E-ACTION-UNKNOWN',
    ])
    expect(seen(verifyAction(world.incidents, { incident: id, action: 1 }, daemon))).toEqual([77, 'E-NOT-ALLOWED'])
    expect(seen(check(false))).toEqual([3, 'E-CHECK-FAILED'])
    world.do(check(true))
    expect(world.get(id).actions[0]?.verifiedBy).toBe('check:login-probe')
  })
})

describe('recovery', () => {
  test('a rotation that left a secret behind is none', () => {
    expect(
      seen(rotate(suspended().incidents, { incident: id, proof: { expected: 2, rotated: 1 } }, contextOf('saul'))),
    ).toEqual([3, 'E-NOT-ROTATED'])
    expect(rotate(suspended().incidents, { incident: id }, contextOf('saul'))).toMatchObject({ ok: true, entries: [] })
  })

  test('held mail is kept or released, never purged here', () => {
    expect(seen(decideMail(suspended().incidents, { incident: id, decision: 'purge' }, contextOf('ana')))).toEqual([
      65,
      'E-MAIL-DECISION',
    ])
    expect(seen(decideMail(suspended().incidents, { incident: id, decision: 'keep' }, contextOf('ana')))).toEqual([
      0,
      'M-MAIL-DECIDED',
    ])
  })

  test('levers: only what is new is recorded, and contained is the last probe', () => {
    const world = suspended('ana', { only: ['send', 'login'] })
    const by = { actor: { person: 'daemon', role: 'daemon' }, at: start + 400 }
    const found = (lever: 'send' | 'login' | 'relay', state: 'pending' | 'verified' | 'failed') =>
      leverEntries(world.incidents, [{ incident: id, lever, state }], by)
    expect(found('send', 'pending')).toEqual([])
    expect(found('relay', 'verified')).toEqual([])
    world.append(found('send', 'verified'))
    world.append(found('login', 'failed'))
    expect(stateOf(world.get(id), 'none')).toBe('containing')
    expect(world.get(id).containedAt).toBeNull()
    world.append(found('login', 'verified'))
    expect(stateOf(world.get(id), 'none')).toBe('contained')
    expect(world.get(id).containedAt).toBe(start + 400)
    world.append(found('login', 'failed'))
    expect(stateOf(world.get(id), 'none')).toBe('containing')
  })
})

describe('release (S39 to S41, K3)', () => {
  test('all that is missing is listed at once', () => {
    expect(releaseBy(suspended(), 'ana', { heldMailOf: () => 'undecided' })).toEqual([
      3,
      'E-NO-REPORT',
      'E-NO-ACTIONS',
      'E-NOT-ROTATED',
      'E-HELD-MAIL',
    ])
  })

  test('two people, responder then security lead, and the hold is gone', () => {
    const world = ready()
    expect(releaseBy(world, 'ana')).toEqual([3, 'M-FIRST'])
    expect(openHolds(world.incidents)).toHaveLength(1)
    expect(releaseBy(world, 'berta')).toEqual([0, 'M-RELEASED'])
    expect(openHolds(world.incidents)).toEqual([])
    expect(world.entries.at(-1)?.facts).toMatchObject({
      releasedBy: ['ana', 'berta'],
      report: digestA,
      actions: [1],
      secrets: 2,
      mail: 'none',
    })
    expect(releaseBy(world, 'berta')).toEqual([0, 'M-ENDED-ALREADY'])
  })

  test.each([
    ['the same person', 'ana', 'same-person'],
    ['another responder', 'rosa', 'second-role'],
  ])('the second is not %s', (_, person, reason) => {
    const world = ready()
    releaseBy(world, 'ana')
    expect(releaseBy(world, person)).toEqual([3, `E-TWO-PERSON ${reason}`])
    expect(openHolds(world.incidents)).toHaveLength(1)
  })

  test('a security lead alone is not the first', () => {
    expect(releaseBy(ready(), 'berta')).toEqual([3, 'E-TWO-PERSON first-role'])
  })

  test('the author is neither first nor second', () => {
    expect(releaseBy(ready({ author: 'ana' }), 'ana')).toEqual([3, 'E-TWO-PERSON author'])
    const world = ready({ author: 'Carla' })
    releaseBy(world, 'ana')
    expect(releaseBy(world, 'carla')).toEqual([3, 'E-TWO-PERSON author'])
    expect(releaseBy(world, 'berta')).toEqual([0, 'M-RELEASED'])
  })

  test('with both approvals of one person in two roles there is still one person', () => {
    const world = ready()
    const people = [...staff, { name: 'ana', role: 'security-lead' }]
    releaseBy(world, 'ana', { people })
    expect(releaseBy(world, 'ana', { people })).toEqual([3, 'E-TWO-PERSON same-person'])
  })

  test('who declared it is not the second, with or without a token', () => {
    for (const declarer of ['berta', 'local:berta']) {
      const world = ready()
      world.incidents = { ...world.incidents, byId: new Map([[id, { ...world.get(id), declarers: [declarer] }]]) }
      releaseBy(world, 'ana')
      expect(releaseBy(world, 'berta')).toEqual([3, 'E-TWO-PERSON declarer'])
      expect(releaseBy(world, 'carla')).toEqual([0, 'M-RELEASED'])
    }
  })

  test.each([
    ['older than a day', 'void-expired', (_: Case) => ({ at: start + dayMs })],
    ['from a clock far ahead', 'void-expired', (_: Case) => ({ at: start - dayMs })],
    [
      'of one who no longer holds the role',
      'void-role',
      (_: Case) => ({ people: staff.filter(({ name }) => name !== 'ana') }),
    ],
    [
      'from before another action',
      'void-changed',
      (world: Case) => {
        world.do(
          recordAction(
            world.incidents,
            { incident: id, what: 'w', who: 'x', day: '2026-07-01', evidence: digestA },
            contextOf('gema'),
          ),
        )
        return {}
      },
    ],
    [
      'from before the decision on mail',
      'void-changed',
      (world: Case) => {
        world.do(decideMail(world.incidents, { incident: id, decision: 'release' }, contextOf('ana')))
        return {}
      },
    ],
    [
      'from before another suspend',
      'void-changed',
      (world: Case) => {
        world.do(
          suspend(world.incidents, { scope: hcg, reason: 'otra vez', class: 'spam', drill: false }, contextOf('ana')),
        )
        return {}
      },
    ],
  ])('an approval %s is void', (_, reason, change) => {
    const world = ready()
    releaseBy(world, 'ana')
    const changes = change(world)
    expect(releaseBy(world, 'berta', changes)).toEqual([3, `E-TWO-PERSON ${reason}`])
    expect(releaseBy(world, 'rosa', changes)).toEqual([3, 'M-FIRST', 'W-APPROVAL-VOID'])
    expect(releaseBy(world, 'berta', changes)).toEqual([0, 'M-RELEASED'])
  })

  test('a report after the accepted one closes the gate again', () => {
    const world = ready()
    releaseBy(world, 'ana')
    world.do(
      fileReport(world.incidents, { incident: id, fields: reportFields(id), document: digestB }, contextOf('gema')),
    )
    expect(releaseBy(world, 'berta')).toEqual([3, 'E-NO-REPORT', 'E-TWO-PERSON void-changed'])
  })

  test('held mail has to be decided, then it goes', () => {
    const world = ready()
    expect(releaseBy(world, 'ana', { heldMailOf: () => 'undecided' })).toEqual([3, 'E-HELD-MAIL'])
    world.do(decideMail(world.incidents, { incident: id, decision: 'keep' }, contextOf('ana')))
    releaseBy(world, 'ana', { heldMailOf: () => 'undecided' })
    expect(releaseBy(world, 'berta', { heldMailOf: () => 'undecided' })).toEqual([0, 'M-RELEASED'])
  })

  test('an unknown incident, and one that ended otherwise', () => {
    expect(seen(release(suspended().incidents, { incident: 'INC-2026-0009' }, contextOf('ana')))).toEqual([
      65,
      'E-INCIDENT-UNKNOWN',
    ])
    const world = suspended()
    for (const person of ['ana', 'berta'])
      world.do(annul(world.incidents, { incident: id, reason: 'r' }, contextOf(person)))
    expect(releaseBy(world, 'ana')).toEqual([3, 'E-INCIDENT-ENDED'])
  })
})

describe('annul and withdraw (D3, D5, S36)', () => {
  test('a false alarm takes two people and a reason, and stays an incident', () => {
    const world = suspended()
    const by = (person: string, reason = 'falsa alarma') =>
      seen(world.do(annul(world.incidents, { incident: id, reason }, contextOf(person))))
    expect(by('ana', '')).toEqual([65, 'E-REASON'])
    expect(by('berta')).toEqual([3, 'E-TWO-PERSON first-role'])
    expect(by('ana')).toEqual([3, 'M-FIRST'])
    expect(by('ana')).toEqual([3, 'E-TWO-PERSON same-person'])
    expect(openHolds(world.incidents)).toHaveLength(1)
    expect(by('berta')).toEqual([0, 'M-ANNULLED'])
    expect(openHolds(world.incidents)).toEqual([])
    expect(stateOf(world.get(id), 'none')).toBe('annulled')
    expect(by('berta')).toEqual([0, 'M-ENDED-ALREADY'])
  })

  test('an approval of a release is none of an annulment', () => {
    const world = ready()
    releaseBy(world, 'ana')
    expect(seen(annul(world.incidents, { incident: id, reason: 'r' }, contextOf('berta')))).toEqual([
      3,
      'E-TWO-PERSON first-role',
    ])
  })

  const end = (world: Case, person: string, changes: Record<string, string> = {}) =>
    seen(
      world.do(
        withdraw(world.incidents, { domain: hcg, grounds: 'ethics', reason: '', ...changes }, contextOf(person)),
      ),
    )

  test.each([
    [{ grounds: 'money' }, ['E-GROUNDS']],
    [{ domain: jperez }, ['E-SCOPE-UNKNOWN']],
    [{ domain: 'x.example', grounds: '' }, ['E-SCOPE-UNKNOWN', 'E-GROUNDS']],
    [{ reason: 'x'.repeat(2001) }, ['E-REASON']],
  ])('a withdrawal with %o is refused', (changes, codes) => {
    expect(end(new Case(), 'berta', changes as Record<string, string>)).toEqual([65, ...codes])
  })

  test('two security leads on the same grounds, then never back', () => {
    const world = suspended()
    expect(end(world, 'berta')).toEqual([3, 'M-FIRST'])
    expect(end(world, 'berta')).toEqual([3, 'E-TWO-PERSON same-person'])
    expect(world.incidents.withdrawals.size).toBe(0)
    expect(end(world, 'carla', { grounds: 'security' })).toEqual([3, 'M-FIRST', 'W-APPROVAL-VOID'])
    expect(end(world, 'berta', { grounds: 'security' })).toEqual([0, 'M-WITHDRAWN'])
    expect(world.incidents.withdrawals.get(hcg)).toMatchObject({ grounds: 'security', by: ['carla', 'berta'] })
    expect(end(world, 'berta')).toEqual([0, 'M-WITHDRAWN-ALREADY'])
    expect(releaseBy(world, 'ana')).toEqual([3, 'E-WITHDRAWN'])
    expect(seen(annul(world.incidents, { incident: id, reason: 'r' }, contextOf('ana')))).toEqual([3, 'E-WITHDRAWN'])
    expect(
      seen(suspend(world.incidents, { scope: hcg, reason: 'r', class: 'spam', drill: false }, contextOf('ana'))),
    ).toEqual([0, 'M-WITHDRAWN-ALREADY'])
    expect(openHolds(world.incidents)).toHaveLength(1)
  })
})

describe('words', () => {
  test('every code and phrase has words in both languages, and every placeholder stands in both', () => {
    const names = (text: string) => [...text.matchAll(/\{(\w+)(?:\|phrase)?\}/g)].map(([, name]) => name).sort()
    for (const [code, { es, en }] of Object.entries(actMessages)) {
      expect(names(es.detail), code).toEqual(names(en.detail))
      expect(es.summary, code).not.toBe('')
      expect(es.summary, code).not.toBe(en.summary)
    }
    for (const [key, { es, en }] of Object.entries(actPhrases)) expect(es, key).not.toBe(en)
  })
})
