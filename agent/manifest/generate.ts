/**
 * Writes what is made from the schema: `config/schema/*.json` for editors and `config/REFERENCE.md` for people. Run as
 * `node agent/manifest/generate.ts`; a test fails while the files are stale. Never edit the generated files.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  AccountListDocument,
  AgentDocument,
  InstitutionDocument,
  MailDomainDocument,
  WaiverDocument,
} from './schema.ts'
import { DecisionTable } from './schema-decisions.ts'
import { type Kind, manifestKinds } from './shape.ts'

const documentSchemas: Readonly<Record<Kind, object>> = {
  Institution: InstitutionDocument,
  MailDomain: MailDomainDocument,
  AccountList: AccountListDocument,
  Waiver: WaiverDocument,
  Agent: AgentDocument,
}

const schemaUri = 'https://json-schema.org/draft/2020-12/schema'

type SchemaNode = {
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly examples?: readonly unknown[]
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
}

/** Path, relative to the root of the repository, to content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['config/schema/manifest.schema.json', jsonText(manifestSchema())],
    ['config/schema/agent.schema.json', jsonText({ $schema: schemaUri, title: 'mailwarden agent', ...plain('Agent') })],
    [
      'config/schema/decisions.schema.json',
      jsonText({ $schema: schemaUri, title: 'mailwarden decision table', ...plainSchema(DecisionTable) }),
    ],
    ['config/REFERENCE.md', reference()],
  ])
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** As plain JSON, without what the schema builder keeps beside it. */
function plainSchema(schema: object): SchemaNode {
  return JSON.parse(JSON.stringify(schema)) as SchemaNode
}

function plain(kind: Kind): SchemaNode {
  return plainSchema(documentSchemas[kind])
}

/** One schema for all kinds, told apart by `kind`, so that one first line serves every manifest. */
function manifestSchema(): object {
  return {
    $schema: schemaUri,
    title: 'mailwarden manifest',
    description: 'An institution, a mail domain, a list of accounts or a waiver.',
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      apiVersion: { const: 'mailwarden/v1', description: 'Version of the form.' },
      kind: { enum: manifestKinds, description: 'What the document describes.' },
      metadata: true,
      spec: true,
    },
    allOf: manifestKinds.map(kind => ({
      if: { properties: { kind: { const: kind } }, required: ['kind'] },
      // biome-ignore lint/suspicious/noThenProperty: `then` is a keyword of JSON Schema
      then: plain(kind),
    })),
  }
}

function reference(): string {
  const kinds: readonly Kind[] = [...manifestKinds, 'Agent']
  return [
    '# Reference of manifests and configuration',
    '',
    'Made from `agent/manifest/schema.ts` by `node agent/manifest/generate.ts`; not edited by hand.',
    'Fields in bold are required. `[]` marks the items of a list. Days are `YYYY-MM-DD` in the operator’s time zone;',
    'paths are relative to the file. Secrets never stand here, only references to them.',
    '',
    ...kinds.flatMap(kind => section(kind)),
    ...servers,
  ].join('\n')
}

/** What `spec.providers` cannot do by itself: the other side of it. */
const servers = [
  '## What the servers need',
  '',
  '`mailwarden init --with postfix,dovecot,ldap,powerdns` (or `bind`, `knot`; `smtp`) writes these files with the values and',
  'secrets of the configuration beside them, and says in `STEPS.txt` which goes where and which command makes it count. The',
  'templates stand in the folders of `config/`, commented.',
  '',
  '| System | Files of `init` | What they bring |',
  '|---|---|---|',
  '| `directory: ldap` | `slapd/schema.ldif`, `database.ldif`, `entries.ldif` (for slapd.conf: `mailwarden.schema`, `mailwarden.conf`) | schema; indexes, no limit of 500 entries, rights; the base, the two DNs with hashed keys: `cn=mailwarden` writes, `cn=mailwarden-reader` is for Postfix and Dovecot. On loopback without TLS; `--ldap URL` of another host is encrypted, in every file alike. `ldap:postfix-book` and `ldap:iredmail`: beside those schemas |',
  '| `dns: powerdns` | `powerdns/mailwarden.conf` | `api=yes`, `api-key` as a hash, the web server on loopback. PowerDNS 4.6 or later, a back end that can be written |',
  '| `dns: rfc2136`, `making: bind` | `bind/mailwarden.conf` | the TSIG key, `include` of the file with our zones; each of them allows the key to update. BIND owns the folder of the zones; `rndc reconfig` is enough, `allow-new-zones` is not needed. Where `allow-transfer` is narrowed, the key belongs into it |',
  '| `dns: rfc2136`, `making: knot` | `knot/mailwarden.knotc` | the TSIG key, an ACL for update and transfer, in template `default`. Knot runs from a configuration database and owns the folder of the zones |',
  '| `mail: dovecot` | `dovecot/` | logins and mailboxes from the directory, the key of doveadm’s HTTP API, the file of closed domains, the master user of `verify` |',
  '| `mail: postfix` | `postfix/` | maps, submission, `check_policy_service` |',
  '| `notify: smtp` | `postfix/notices.cf` | a service on loopback, since port 25 relays for institutions’ servers alone |',
  '',
]

function section(kind: Kind): readonly string[] {
  const spec = plain(kind).properties?.spec
  if (spec === undefined) return []
  return [
    `## ${kind}`,
    '',
    spec.description ?? '',
    '',
    '| Field | Form | Meaning | Example |',
    '|---|---|---|---|',
    ...rows('spec', spec),
    '',
  ]
}

function rows(path: string, node: SchemaNode): readonly string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const name = `${path}.${key}`
    const required = node.required?.includes(key) ?? false
    const inner = child.items ?? child
    const row = [
      required ? `**\`${name}\`**` : `\`${name}\``,
      formOf(child),
      cell(child.description ?? inner.description ?? ''),
      cell(exampleOf(child)),
    ]
    return [`| ${row.join(' | ')} |`, ...rows(child.items === undefined ? name : `${name}[]`, inner)]
  })
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function exampleOf(node: SchemaNode): string {
  const example = node.examples?.[0] ?? node.items?.examples?.[0]
  return example === undefined ? '' : `\`${String(example)}\``
}

function formOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(value => `\`${String(value)}\``).join(', ')
  if (node.anyOf !== undefined) return node.anyOf.map(formOf).join(' or ')
  if (node.items !== undefined) return `list of ${formOf(node.items)}`
  if (node.type === 'integer') return rangeOf(node)
  if (node.pattern?.includes('-\\d{2}-') === true) return 'day'
  if (node.pattern?.includes('GiB') === true) return 'size'
  const names: Record<string, string> = { object: 'map', string: 'text', boolean: '`true`, `false`', null: 'null' }
  return names[node.type ?? ''] ?? 'nothing yet'
}

function rangeOf({ minimum, maximum }: SchemaNode): string {
  if (minimum === undefined) return 'whole number'
  return maximum === undefined ? `whole number from ${minimum}` : `whole number ${minimum} to ${maximum}`
}

if (import.meta.main) {
  for (const [path, text] of generatedFiles()) {
    const file = fileURLToPath(new URL(`../../${path}`, import.meta.url))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}
