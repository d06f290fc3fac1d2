/**
 * The hand-over against the structure that RFC 7970 (XML) and RFC 8727 (JSON) make mandatory: required classes and
 * attributes, the order of the schema's sequence, values from its enumerations; the report after an incident in both
 * languages; what strangers wrote moves no markup.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formatInstant } from '../../agent/core/clock.ts'
import type { Case } from '../../agent/handover/case.ts'
import { handover } from '../../agent/handover/handover.ts'
import { applyEntry, emptyIncidents } from '../../agent/incident/lifecycle.ts'
import { levers } from '../../agent/model/incident.ts'
import type { Stored } from '../../agent/register/register.ts'

const begun = Date.parse('2026-03-02T03:00:00Z')
const hostile = 'correo | <script>alert(1)</script> & "masivo"\u0000\u202e]]>\n# título'

type Part = readonly [
  kind: string,
  afterMs: number,
  facts: Stored['facts'],
  personal?: Stored['personal'],
  person?: string,
]

function caseOf(parts: readonly Part[], language: 'es' | 'en' = 'en'): Case {
  const entries = parts.map(([kind, afterMs, facts, personal = null, person = 'ana'], index): Stored => {
    const actor = { person, role: person === 'ana' ? 'responder' : 'security-lead' }
    const common = { index: index + 10, kind, actor, at: formatInstant(begun + afterMs), subject: 'INC-2026-0001' }
    return { ...common, facts: { incident: 'INC-2026-0001', ...facts }, commitment: null, personal }
  })
  const { byId } = entries.reduce(applyEntry, emptyIncidents)
  const incident = byId.get('INC-2026-0001')
  if (incident === undefined) throw new Error('the entries declare no incident')
  const operator = { name: 'Infomed & Co', security: 'seg@operator.example', support: null, timeZone: 'America/Havana' }
  return { incident, entries, operator, institution: 'Hospital <General>', bundles: [], language }
}

const declared: Part = [
  'incident.declared',
  0,
  { class: 'unprivileged-account-compromise', domain: 'hcg.example', scope: 'account', levers, drill: false },
  { reason: hostile, account: 'jperez@hcg.example' },
]
const contained: readonly Part[] = [
  declared,
  ['suspension.door', 300, { host: 'mx1', door: 'queue', open: 0, held: 4, failed: false }],
  ['suspension.door', 900, { host: 'imap1', door: 'sessions', open: 0, held: 0, failed: false }],
  ['suspension.lever', 700, { lever: 'send', state: 'verified' }],
  ['suspension.lever', 800, { lever: 'login', state: 'failed' }],
  ['suspension.lever', 5_000, { lever: 'login', state: 'verified' }],
]
const annulled: readonly Part[] = [
  ...contained,
  ['incident.annul-approved', 60_000, { digest: 'x' }],
  ['incident.annulled', 90_000, { digest: 'x' }, null, 'berta'],
]

const enums = {
  purpose: ['traceback', 'mitigation', 'reporting', 'watch', 'other', 'ext-value'],
  status: ['new', 'in-progress', 'forwarded', 'resolved', 'future', 'ext-value'],
  action: ['nothing', 'status-triage', 'status-new-info', 'remediate-other', 'other'],
  impact: ['takeover-account', 'takeover-service', 'takeover-system', 'availability-service', 'unknown'],
}
/** RFC 7970 section 3.2: the children of Incident in the order of the schema. */
const sequence = [
  'IncidentID',
  'StartTime',
  'EndTime',
  'ReportTime',
  'GenerationTime',
  'Description',
  'Assessment',
  'Contact',
  'EventData',
  'History',
]
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

test.each([
  ['open', contained, 'in-progress'],
  ['ended', annulled, 'resolved'],
] as const)('JSON has what is mandatory: %s', (_, parts, status) => {
  const document = JSON.parse(handover('iodef-json', caseOf(parts)))
  expect(document.version).toBe('2.0')
  const [incident] = document.Incident
  expect(document.Incident).toHaveLength(1)
  expect(incident).toMatchObject({
    purpose: 'reporting',
    status,
    IncidentID: { id: 'INC-2026-0001', name: 'Infomed & Co' },
  })
  expect(enums.purpose).toContain(incident.purpose)
  expect(enums.status).toContain(incident.status)
  for (const time of ['StartTime', 'ReportTime', 'GenerationTime']) expect(incident[time]).toMatch(instant)
  expect('EndTime' in incident).toBe(status === 'resolved')
  for (const contact of incident.Contact)
    expect(contact).toMatchObject({ role: expect.any(String), type: 'organization' })
  expect(incident.Contact[0]).toMatchObject({ role: 'creator', Email: [{ EmailTo: 'seg@operator.example' }] })
  expect(enums.impact).toContain(incident.Assessment[0].SystemImpact[0].type)
  expect(incident.History.HistoryItem).toHaveLength(parts.length)
  for (const item of incident.History.HistoryItem) {
    expect(enums.action).toContain(item.action)
    expect(item.DateTime).toMatch(instant)
  }
  expect(incident.Description).toEqual([hostile])
})

test('XML has it in the order of the schema, and nothing that people wrote is markup', () => {
  const xml = handover('iodef-xml', caseOf(annulled))
  expect(xml).toMatch(
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<IODEF-Document version="2\.00" xml:lang="en" xmlns="urn:ietf:params:xml:ns:iodef-2\.0">/,
  )
  const children = [...xml.matchAll(/^ {4}<([A-Za-z]+)/gm)].map(([, name]) => name ?? '')
  expect([...new Set(children)]).toEqual(sequence)
  expect(children.filter(name => name === 'Contact')).toHaveLength(2)
  expect(xml).toContain('<IncidentID name="Infomed &amp; Co">INC-2026-0001</IncidentID>')
  expect(xml).toContain('&lt;script&gt;')
  for (const found of ['<script', '\u0000']) expect(xml).not.toContain(found)
  expect(wellFormed(xml)).toBe(true)
  expect(wellFormed(xml.replace('</Contact>', ''))).toBe(false)
  if (existsSync('/usr/bin/xmllint')) execFileSync('/usr/bin/xmllint', ['--noout', '-'], { input: xml })
})

/** Every tag is closed by its own name, in order. */
function wellFormed(xml: string): boolean {
  const open: string[] = []
  for (const [, close, name, empty] of xml.matchAll(/<(\/?)([A-Za-z-]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (close === '/') {
      if (open.pop() !== name) return false
    } else if (empty !== '/') open.push(name ?? '')
  }
  return open.length === 0
}

test('the report has every entry, times against targets, what failed; in both languages, the same each time', () => {
  const texts = (['en', 'es'] as const).map(language => handover('report', caseOf(annulled, language)))
  for (const [index, language] of (['en', 'es'] as const).entries())
    expect(handover('report', caseOf(annulled, language))).toBe(texts[index])
  const [en = '', es = ''] = texts
  expect(en.match(/^## /gm)).toHaveLength(es.match(/^## /gm)?.length ?? 0)
  for (const text of texts) {
    for (let index = 10; index < 10 + annulled.length; index += 1) expect(text).toContain(`#${index} |`)
    expect(text).not.toContain('<script')
    // A blank line or a heading of the reason's own would end the table.
    expect(text.match(/^# /gm)).toHaveLength(1)
  }
  expect(en).toContain('| door mx1/queue closed | 300 ms | 500 ms | met |')
  expect(en).toContain('| door imap1/sessions closed | 900 ms | 500 ms | missed |')
  expect(en).toContain('| lever login verified | 5000 ms | 2000 ms | missed |')
  expect(en).toContain('| lever relay verified | never | 2000 ms | missed |')
  expect(en).toMatch(/What failed[\s\S]*lever login: failed/)
  expect(es).toMatch(/Informe posterior: INC-2026-0001/)
  expect(es).toContain('palanca login: failed')
})

test('who took a copy is no part of what is handed over', () => {
  const taken: Part = ['incident.exported', 99_000, { format: 'report' }]
  for (const format of ['iodef-json', 'iodef-xml', 'report'] as const)
    expect(handover(format, caseOf([...annulled, taken]))).toBe(handover(format, caseOf(annulled)))
})
