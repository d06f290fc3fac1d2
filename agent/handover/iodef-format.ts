/** IODEF version 2 as XML (RFC 7970 section 8) and as JSON (RFC 8727). Spelling only. Pure. */
import type { Iodef } from './iodef.ts'

const namespace = 'urn:ietf:params:xml:ns:iodef-2.0'

/** RFC 8727 section 3: objects are named as the classes are, attributes are members beside them. */
export function formatJson(iodef: Iodef): string {
  const { contact, system, victim } = iodef
  const incident = {
    purpose: iodef.purpose,
    status: iodef.status,
    lang: iodef.lang,
    restriction: 'private',
    IncidentID: { id: iodef.id, name: iodef.name },
    StartTime: iodef.startTime,
    ...(iodef.endTime === null ? {} : { EndTime: iodef.endTime }),
    ReportTime: iodef.generationTime,
    GenerationTime: iodef.generationTime,
    ...(iodef.description.length === 0 ? {} : { Description: iodef.description }),
    Assessment: [{ IncidentCategory: [iodef.category], SystemImpact: [{ type: iodef.impact }] }],
    Contact: [
      {
        role: 'creator',
        type: 'organization',
        ContactName: [contact.name],
        ...(contact.email === null ? {} : { Email: [{ EmailTo: contact.email }] }),
      },
      ...(victim === null ? [] : [{ role: 'victim', type: 'organization', ContactName: [victim] }]),
    ],
    EventData: [
      {
        Flow: [
          {
            System: [
              {
                category: 'source',
                Node: {
                  DomainData: [
                    { 'system-status': 'unknown', 'domain-status': 'assignedAndActive', Name: system.domain },
                  ],
                  ...(system.account === null ? {} : { Address: [{ value: system.account, category: 'e-mail' }] }),
                },
              },
            ],
          },
        ],
      },
    ],
    History: {
      HistoryItem: iodef.history.map(({ action, at, description }) => ({
        action,
        DateTime: at,
        Description: [description],
      })),
    },
  }
  return `${JSON.stringify({ version: '2.0', lang: iodef.lang, Incident: [incident] }, null, 2)}\n`
}

type Attributes = Readonly<Record<string, string>>
type Node = { readonly name: string; readonly attributes: Attributes; readonly content: string | readonly Node[] }

const element = (name: string, attributes: Attributes, content: Node['content']): Node => ({
  name,
  attributes,
  content,
})
const textElement = (name: string, text: string): Node => element(name, {}, text)
const optional = (name: string, text: string | null): Node[] => (text === null ? [] : [textElement(name, text)])

export function formatXml(iodef: Iodef): string {
  const { lang, contact, victim, system } = iodef
  const organization = (role: string, name: string, email: string | null) =>
    element('Contact', { role, type: 'organization' }, [
      textElement('ContactName', name),
      ...(email === null ? [] : [element('Email', {}, [textElement('EmailTo', email)])]),
    ])
  const node = element('Node', {}, [
    element('DomainData', { 'system-status': 'unknown', 'domain-status': 'assignedAndActive' }, [
      textElement('Name', system.domain),
    ]),
    ...(system.account === null ? [] : [element('Address', { category: 'e-mail' }, system.account)]),
  ])
  const incident = element(
    'Incident',
    { purpose: iodef.purpose, status: iodef.status, 'xml:lang': lang, restriction: 'private' },
    // In the order of the schema: it is a sequence.
    [
      element('IncidentID', { name: iodef.name }, iodef.id),
      textElement('StartTime', iodef.startTime),
      ...optional('EndTime', iodef.endTime),
      textElement('ReportTime', iodef.generationTime),
      textElement('GenerationTime', iodef.generationTime),
      ...iodef.description.map(text => textElement('Description', text)),
      element('Assessment', {}, [
        textElement('IncidentCategory', iodef.category),
        element('SystemImpact', { type: iodef.impact }, []),
      ]),
      organization('creator', contact.name, contact.email),
      ...(victim === null ? [] : [organization('victim', victim, null)]),
      element('EventData', {}, [element('Flow', {}, [element('System', { category: 'source' }, [node])])]),
      element(
        'History',
        {},
        iodef.history.map(({ action, at, description }) =>
          element('HistoryItem', { action }, [textElement('DateTime', at), textElement('Description', description)]),
        ),
      ),
    ],
  )
  const root = element('IODEF-Document', { version: '2.00', 'xml:lang': lang, xmlns: namespace }, [incident])
  return `<?xml version="1.0" encoding="UTF-8"?>\n${print(root, '')}`
}

function print({ name, attributes, content }: Node, indent: string): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`)
  const open = `${indent}<${name}${written.join('')}`
  if (content.length === 0) return `${open}/>\n`
  if (typeof content === 'string') return `${open}>${escapeXml(content)}</${name}>\n`
  return `${open}>\n${content.map(child => print(child, `${indent}  `)).join('')}${indent}</${name}>\n`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** XML 1.0 section 2.2: other control characters and lone surrogates cannot stand in a document in any spelling. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll(/[&<>"']/g, character => entities[character] ?? '')
    .replaceAll('\r', '&#13;')
}
