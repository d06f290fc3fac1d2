/** What `plan`, `apply`, `status`, `explain` and `incident show` print of their JSON. */
import { describe, expect, test } from 'vitest'
import { plain } from '../../agent/cli/paint.ts'
import { renderApply, renderExplain, renderPlan, renderStatus } from '../../agent/cli/render.ts'
import { renderIncident } from '../../agent/cli/render-incident.ts'
import { sayIn } from '../../agent/cli/texts.ts'
import type { PlanView } from '../../agent/control/views.ts'

const [en, es] = [sayIn('en'), sayIn('es')]
const ref = (key: string) => ({ provider: 'directory', kind: 'account', key }) as never
const view: PlanView = {
  version: 1,
  digest: '',
  createdAt: '',
  target: '',
  changes: [],
  keys: [],
  refusals: [],
  held: [],
  contested: [],
  diagnostics: [],
}
const diagnostic = {
  severity: 'error',
  code: 'E-DAY',
  summary: 'Wrong date',
  detail: 'It says "x".',
  file: 'a.yaml',
  line: 3,
  column: 5,
  pointer: null,
  suggestion: 'y',
} as const
const counts = { applied: 0, failed: 0, skipped: 0, conflict: 0, unknown: 0 }
const applied = { ...view, counts, keysMade: 0, converged: true, outcomes: [] }

describe('mistakes in the manifests', () => {
  const place = { ...diagnostic, file: null, line: null, column: null }
  const diagnostics = [diagnostic, place, { ...diagnostic, severity: 'warning' as const }]
  const lines = [
    'a.yaml:3:5  error E-DAY: Wrong date. It says "x". Did you mean "y"?',
    'error E-DAY: Wrong date. It says "x". Did you mean "y"?',
    en('lastValid'),
    '1 warning: see "mailwarden validate", or --json for all',
  ]

  test('plan and apply name them', () => {
    expect(renderPlan({ ...view, diagnostics }, en, plain)).toEqual([...lines, en('nothingElse')])
    expect(renderApply({ ...applied, diagnostics }, en, plain)).toEqual([...lines, en('nothingElse')])
    expect(renderPlan({ ...view, diagnostics: diagnostics.slice(2) }, en, plain)).toEqual([lines[3], en('nothingToDo')])
    expect(renderPlan(view, en, plain)).toEqual([en('nothingToDo')])
  })

  test('status names them, and speaks of queued and blocked accounts in the language', () => {
    const domain = { name: 'a.cu', institution: 'a', state: 'active', accounts: 1, queued: 2, blocked: 1 }
    const status = {
      domains: [{ ...domain, held: [], blockedBy: [] }],
      incidents: [],
      providers: [],
      register: { size: 1, trusted: true, findings: [] },
      daemon: null,
      configuration: { file: '/etc/mailwarden/mailwarden.yaml', changed: false },
    } as const
    expect(renderStatus({ ...status, diagnostics } as never, en, plain)).toEqual(expect.arrayContaining(lines))
    const spanish = renderStatus({ ...status, diagnostics: [] } as never, es, plain).join('\n')
    expect(spanish).toContain('1 +2 en cola 1 bloqueada')
    expect(spanish).toContain('registro: 1 asiento, verificado')
  })
})

test('how to go on is said once, for all guards together', () => {
  const refusal = (guard: string, accept: string) => ({ guard, detail: 'x', accept })
  const refusals = [refusal('deletes', 'delete=3'), refusal('zone-removed', 'delete=3'), refusal('updates', 'update=2')]
  const lines = renderPlan({ ...view, refusals }, en, plain)
  expect(lines.filter(line => line.includes('--accept'))).toEqual([
    '  to go on: mailwarden apply --accept delete=3,update=2',
  ])
  expect(lines).not.toContain(en('nothingToDo'))
})

test('nothing to do is not claimed where something is left', () => {
  const held = [{ ref: ref('a@b.cu'), incident: 'INC-2026-0001' }]
  const contested = [{ ref: ref('a@b.cu'), reason: 'x' }]
  for (const left of [{ held }, { contested }])
    for (const lines of [
      renderPlan({ ...view, ...left }, en, plain),
      renderApply({ ...applied, ...left }, en, plain),
    ]) {
      expect(lines).toHaveLength(2)
      expect(lines.at(-1)).toBe(en('nothingElse'))
    }
  expect(renderPlan({ ...view, held }, es, plain)[0]).toBe('retenido por INC-2026-0001: 1 objeto')
})

test('verdicts that say nothing against are told in the language', () => {
  const verdict = (reason: string) => ({ policy: 'rate', effect: 'dunno', reason })
  const verdicts = [verdict('passed'), verdict('not concerned'), verdict('se dice')]
  const lines = renderExplain(
    { effect: 'dunno', reason: 'permitted', reply: 'DUNNO', verdicts, source: null },
    es,
    plain,
  )
  expect(lines.slice(1)).toEqual(['  rate  dunno  superada', '  rate  dunno  no le atañe', '  rate  dunno  se dice'])
})

test('an incident shows its reports and actions', () => {
  const incident = {
    id: 'INC-2026-0001',
    state: 'contained',
    class: 'spam',
    domain: 'b.cu',
    account: null,
    levers: { send: 'verified' },
    reports: [{ n: 1, author: 'Luis', document: 'ab'.repeat(32), review: 'accepted' }],
    actions: [
      { n: 1, day: '2026-03-02', what: 'claves', verifiedBy: null },
      { n: 2, day: '2026-03-03', what: 'parche', verifiedBy: 'carla' },
    ],
    missing: [],
    end: null,
  }
  expect(renderIncident(incident, es, plain)).toEqual(
    expect.arrayContaining([
      'informe 1 Luis abababababab: aceptado',
      'acción 1 2026-03-02 claves: sin verificar',
      'acción 2 2026-03-03 parche: verificada por carla',
    ]),
  )
  const open = renderIncident({ ...incident, missing: ['E-NOT-ROTATED', 'E-HELD-MAIL'] }, es, plain)
  expect(open.slice(-3)).toEqual([
    'falta para restablecer:',
    '  contraseñas nuevas: incident rotate INC-2026-0001',
    '  una decisión sobre el correo retenido: incident mail INC-2026-0001 keep|release',
  ])
})
