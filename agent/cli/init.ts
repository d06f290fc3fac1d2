/** `init`: a configuration, an example institution, and the lines that Postfix and Dovecot need. Never overwrites. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Secret } from '../core/secret.ts'
import { type InitFile, type InitPart, type InitPlan, initParts, parseParts, planParts } from './init-parts.ts'
import { CommandFailure, exits, fileFailure, type Io, writeNamed } from './io.ts'

const makeSecret = () => new Secret(randomBytes(24).toString('hex'))

/** Filled configuration snippets for the mail servers; the composition root knows which directory they are for. */
export type Snippets = (values: {
  /** The directory's file, or the password with which Postfix and Dovecot read the LDAP tree of `ldapSite`. */
  directory: string | Secret
  policy: string
}) => Promise<readonly InitFile[]>

const policyAddress = '127.0.0.1:10031'

function configText(schema: string, { providers, later }: InitPlan): string {
  return `# yaml-language-server: $schema=${schema}/agent.schema.json
apiVersion: mailwarden/v1
kind: Agent
spec:
  manifests: ./manifests
  state: ./var                    # register, keys, outbox, sockets
  operator:
    name: Operator
    language: es                  # of notices to you: es or en
    timeZone: America/Havana      # days are days there
    contacts: { support: support@operator.example, security: security@operator.example }
    people:                       # who acts; a token each: mailwarden token create ana
      - { name: ana, role: responder }
      - { name: berta, role: security-lead }
  national: { suffixes: [cu] }    # what "national" means
  mail:
    mx: [{ host: mx1.operator.example, priority: 10 }]
    nameServers: [ns1.operator.example, ns2.operator.example]
    hostmaster: hostmaster@operator.example
  providers:
${providers.map(line => `    ${line}`).join('\n')}
  listen: { policy: [${policyAddress}] }
  schedule: { reconcile: "*/5 * * * *" }
  limits: { deletes: 5, updatePercent: 30 }
${later.length === 0 ? '' : laterText(later)}`
}

function laterText(lines: readonly string[]): string {
  return `  # Once Dovecot has dovecot/mailwarden-verify.conf and dovecot/verify-users:
${lines.map(line => `  # ${line}\n`).join('')}`
}

function exampleText(schema: string, today: string): string {
  const year = Number(today.slice(0, 4))
  const later = `${year + 3}${today.slice(4, 7)}-28`
  return `# yaml-language-server: $schema=${schema}/manifest.schema.json
apiVersion: mailwarden/v1
kind: Institution
metadata: { name: hospital-ejemplo }
spec:
  title: Hospital de Ejemplo
  province: La Habana
  language: es
  director: { name: Ana Ejemplo, email: directora@otro-dominio.example }
  representatives:
    - { name: Luis Ejemplo, id: HE-0001, email: luis@otro-dominio.example, from: ${today} }
  contract:
    number: 1/${year}
    signedOn: ${today}
    validUntil: ${later}
    document: evidence/contrato.pdf
    supplements: [{ type: 3, signedOn: ${today}, document: evidence/suplemento-3.pdf }]
  capacity:
    determinedOn: ${today}
    validUntil: ${later}
    national: { capacity: 1000, used: 1000 }
    provincial: { capacity: 100, used: 100 }
    document: evidence/capacidad.pdf
  networks: [10.20.0.0/16]
---
apiVersion: mailwarden/v1
kind: MailDomain
metadata: { name: hospital.example }
spec:
  institution: hospital-ejemplo
  delivery: mailboxes
  administrator: { login: admin }
  limits: { accounts: 50, storage: 2GiB }
  defaults: { send: national, receive: international, access: institution }
---
apiVersion: mailwarden/v1
kind: AccountList
metadata: { name: hospital.example }
spec:
  domain: hospital.example
  requests:
    - number: SC-${year}-001
      agreement: { number: "1", date: ${today} }
      filedBy: HE-0001
      approvedBy: director
      signed: true
      stamped: true
      document: evidence/sc-${year}-001.pdf
  accounts:
    - name: mlopez
      holder: { name: María Ejemplo, id: HE-0002, post: Enfermera, purpose: asistencia, category: care }
      request: SC-${year}-001
`
}

export async function initCommand(
  io: Io,
  lent: { snippets: Snippets; today: () => string },
  folder: string,
  options: { readonly with?: string | undefined } = {},
): Promise<number> {
  const chosen = options.with === undefined ? { parts: new Set<InitPart>() } : parseParts(options.with)
  if ('unknown' in chosen)
    throw new CommandFailure(exits.usage, io.say('initPart', { word: chosen.unknown, known: initParts.join(', ') }))
  const plan = await planParts(chosen.parts, makeSecret)
  const root = resolve(folder)
  const schemaFolder = fileURLToPath(new URL('../../config/schema', import.meta.url))
  const schemaFrom = (file: string) => relative(dirname(join(root, file)), join(root, 'schema')) || '.'
  const directory = chosen.parts.has('ldap') ? makeSecret() : join(root, 'var', 'directory.db')
  const files: InitFile[] = [
    { path: 'mailwarden.yaml', text: configText(`./${schemaFrom('mailwarden.yaml')}`, plan) },
    { path: 'manifests/example.yaml', text: exampleText(schemaFrom('manifests/example.yaml'), lent.today()) },
    ...(await lent.snippets({ directory, policy: policyAddress })),
    ...plan.files,
  ]
  for (const name of ['manifest.schema.json', 'agent.schema.json'])
    files.push({ path: `schema/${name}`, text: readText(join(schemaFolder, name)) })
  const taken = files.find(file => existsSync(join(root, file.path)))
  if (taken !== undefined) {
    io.err(io.say('initExists', { file: join(folder, taken.path) }))
    return exits.failed
  }
  for (const { path, text, access } of files) {
    const file = join(root, path)
    makeFolder(io, dirname(file))
    writeNamed(io, file, text, access === 'private' ? 0o600 : 0o666)
  }
  const essential = essentialLines(files)
  if (io.json) {
    io.out(
      JSON.stringify({ version: 1, folder: root, files: files.map(file => file.path), postfix: essential }, null, 2),
    )
    return exits.done
  }
  io.out([
    io.say('initDone', { folder: root }),
    `  ${io.say('initStep1')}`,
    `  ${io.say('initStep2')}`,
    `  ${io.say('initStep3')}`,
    '',
  ])
  io.out([io.say('initPostfix', { folder: join(folder, 'postfix') }), ...essential.map(line => `  ${line}`)])
  return exits.done
}

function makeFolder(io: Io, folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw fileFailure(io, folder, error)
  }
}

/** The lines without which nothing is enforced: the policy service, asked for each recipient and at end of data. */
function essentialLines(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  return ['main.cf', 'master.cf'].flatMap(name => {
    const text = files.find(({ path }) => path === `postfix/${name}`)?.text ?? ''
    const lines = text.split('\n').filter(line => line.includes('mailwarden_') && !line.startsWith('#'))
    return [`# ${name}`, ...new Set(lines)]
  })
}

function readText(file: string): string {
  return readFileSync(file, 'utf8')
}
