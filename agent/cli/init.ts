/** `init`: a configuration, an example institution, and the lines that Postfix and Dovecot need. Never overwrites. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ProviderFailure } from '../../providers/provider.ts'
import { Secret } from '../core/secret.ts'
import {
  type Chosen,
  type Given,
  type InitFile,
  type InitPart,
  type InitPlan,
  initParts,
  ldapProfiles,
  parseParts,
  planParts,
  policyAddress,
  type ServerValues,
  type Site,
  siteOf,
} from './init-parts.ts'
import { formatSteps, initSteps } from './init-steps.ts'
import { CommandFailure, exits, fileFailure, type Io, writeNamed } from './io.ts'

const makeSecret = () => new Secret(randomBytes(24).toString('hex'))

/** Filled configuration files for the servers; the composition root knows which provider makes them. */
export type Snippets = (values: ServerValues) => Promise<readonly InitFile[]>

function configText(schema: string, { providers, later }: InitPlan, { domain }: Site): string {
  return `# yaml-language-server: $schema=${schema}/agent.schema.json
apiVersion: mailwarden/v1
kind: Agent
spec:
  manifests: ./manifests
  state: ./var                    # register, keys, outbox, sockets

  # Yours to change, and all of it stands here: who you are and who acts, what is national, the names of your servers.
  operator:
    name: Operator
    language: es                  # of notices to you: es or en
    timeZone: America/Havana      # days are days there
    contacts: { support: support@${domain}, security: security@${domain} }
    people:                       # who acts; a token each: mailwarden token create ana
      - { name: ana, role: responder }
      - { name: berta, role: security-lead }
  national: { suffixes: [cu] }    # what "national" means
  mail:
    mx: [{ host: mx1.${domain}, priority: 10 }]
    nameServers: [ns1.${domain}, ns2.${domain}]
    hostmaster: hostmaster@${domain}

  providers:
${providers.map(line => `    ${line}`).join('\n')}
  listen: { policy: [${policyAddress}] }
  schedule: { reconcile: "*/5 * * * *" }
  limits: { deletes: 5, updatePercent: 30 }
${later.length === 0 ? '' : laterText(later)}`
}

function laterText(lines: readonly string[]): string {
  return `  # Once Dovecot and Postfix run, with certificates for this name: take these marks away.
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

export type InitOptions = Given & { readonly with?: string | undefined }

export async function initCommand(
  io: Io,
  lent: { snippets: Snippets; today: () => string },
  folder: string,
  options: InitOptions = {},
): Promise<number> {
  const chosen = chosenOf(io, options)
  const site = siteOf(options)
  if ('wrong' in site) throw new CommandFailure(exits.usage, io.say('initWrong', { detail: site.wrong }))
  const root = resolve(folder)
  const plan = await planParts(chosen, site, join(root, 'var', 'directory.db'), makeSecret)
  const steps = initSteps(
    chosen,
    { site, folder: root, checkout: fileURLToPath(new URL('../..', import.meta.url)) },
    io.say,
  )
  const lines = formatSteps(steps, io.say)
  const filling = { plan, site, root, today: lent.today(), snippets: lent.snippets }
  const files = await filesOf(chosen, filling).catch((error: unknown) => {
    // A folder or a base that the servers' files could not hold.
    if (!(error instanceof ProviderFailure)) throw error
    throw new CommandFailure(exits.usage, io.say('initWrong', { detail: error.message }))
  })
  files.push({ path: 'STEPS.txt', text: lines.join('\n') })
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
    const paths = files.map(file => file.path)
    io.out(JSON.stringify({ version: 1, folder: root, files: paths, postfix: essential, steps }, null, 2))
    return exits.done
  }
  io.out([io.say('initDone', { folder: root }), '', ...lines])
  io.out([io.say('initPostfix', { folder: join(folder, 'postfix') }), ...essential.map(line => `  ${line}`)])
  return exits.done
}

function chosenOf(io: Io, options: InitOptions): Chosen {
  if (options.with === undefined) return { parts: new Set<InitPart>(), profile: 'own' }
  const chosen = parseParts(options.with)
  if (!('unknown' in chosen)) return chosen
  const known = initParts.join(', ').replace('ldap', ldapProfiles.map(name => `ldap:${name}`).join(', '))
  throw new CommandFailure(exits.usage, io.say('initPart', { word: chosen.unknown, known }))
}

type Filling = {
  readonly plan: InitPlan
  readonly site: Site
  readonly root: string
  readonly today: string
  readonly snippets: Snippets
}

async function filesOf({ parts }: Chosen, { plan, site, root, today, snippets }: Filling): Promise<InitFile[]> {
  const schemaFolder = fileURLToPath(new URL('../../config/schema', import.meta.url))
  const schemaFrom = (file: string) => relative(dirname(join(root, file)), join(root, 'schema')) || '.'
  const servers = await snippets(plan.servers)
  return [
    { path: 'mailwarden.yaml', text: configText(`./${schemaFrom('mailwarden.yaml')}`, plan, site) },
    { path: 'manifests/example.yaml', text: exampleText(schemaFrom('manifests/example.yaml'), today) },
    // It takes in files that are made with Dovecot's secrets only.
    ...servers.filter(({ path }) => parts.has('dovecot') || path !== 'dovecot/local.conf'),
    ...plan.files,
    ...['manifest.schema.json', 'agent.schema.json'].map(name => ({
      path: `schema/${name}`,
      text: readFileSync(join(schemaFolder, name), 'utf8'),
    })),
  ]
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
