/** A whole estate in one file, in order on 2026-05-01, for tests to break in one place at a time. */

import { checkEstate } from '../../agent/manifest/check.ts'
import type { SourceFile } from '../../agent/manifest/types.ts'
import type { CheckedEstate } from '../../agent/model/world.ts'

export const sampleText = `apiVersion: mailwarden/v1
kind: Institution
metadata: { name: hospital-calixto-garcia }
spec:
  title: Hospital Universitario General Calixto García
  province: La Habana
  director: { name: Ana Ruiz Pérez, email: aruiz@directores.example, phone: "+53 7 8000000" }
  representatives:
    - { name: Luis Mora, id: HCG-0042, email: lmora@correo.example, from: 2026-03-02 }
  contract:
    number: 118/2026
    signedOn: 2026-03-02
    validUntil: 2029-03-01
    document: evidence/contrato-118.pdf
    supplements:
      - { type: 3, signedOn: 2026-03-02, document: evidence/suplemento-3.pdf }
  capacity:
    determinedOn: 2026-02-20
    validUntil: 2027-02-19
    national: { capacity: 120000, used: 120000 }
    provincial: { capacity: 8000, used: 8000 }
    document: evidence/capacidad.pdf
  networks: [10.20.0.0/16, "2001:db8:20::/48"]
  servers:
    - { host: mail.hcg.sld.cu, addresses: [10.20.0.5], role: [collect, relay] }
  roster: rosters/hcg.csv
---
apiVersion: mailwarden/v1
kind: MailDomain
metadata: { name: hcg.sld.cu }
spec:
  institution: hospital-calixto-garcia
  delivery: multipop
  administrator: { login: admin }
  collector: { login: multipop }
  limits: { accounts: 50, storage: 2GiB }
  defaults: { send: national, receive: international, access: institution }
  dns:
    extra: [{ name: www, type: A, values: [192.0.2.10] }]
---
apiVersion: mailwarden/v1
kind: AccountList
metadata: { name: hcg.sld.cu }
spec:
  domain: hcg.sld.cu
  requests:
    - number: SC-2026-014
      agreement: { number: "41", date: 2026-04-03 }
      filedBy: HCG-0042
      approvedBy: director
      signed: true
      stamped: true
      document: evidence/sc-2026-014.pdf
  accounts:
    - name: jperez
      holder: { name: Juan Pérez, id: HCG-0117, post: Cirujano, purpose: docencia, category: professor }
      request: SC-2026-014
      send: international
      access: institution
      aliases: [juan.perez]
      except:
        - { send: who.int, until: 2026-12-31, request: SC-2026-014 }
        - { access: anywhere, until: 2026-09-30, request: SC-2026-014 }
    - { name: mlopez, holder: { name: María López, id: HCG-0201, post: Enfermera, purpose: asistencia, category: care }, request: SC-2026-014 }
    - { name: exempleado, state: withdrawn, holder: { name: X, id: HCG-0009, post: "-", purpose: "-", category: other }, request: SC-2026-014 }
---
apiVersion: mailwarden/v1
kind: Waiver
metadata: { name: hcg-spf-2026 }
spec: { control: C-DNS-02, subject: hcg.sld.cu, reason: mudanza, owner: ana, approvedBy: berta, from: 2026-04-01, until: 2026-06-30 }
`

export const sampleRoster =
  'id,name,post,until\nHCG-0042,Luis Mora,Informático,\nHCG-0117,Juan Pérez,Cirujano,\nHCG-0201,María López,Enfermera,2026-05-01\n'

export type Surroundings = {
  readonly today?: string
  readonly attachments?: Readonly<Record<string, string>>
  readonly missing?: readonly string[]
}

export function check(
  files: Readonly<Record<string, string>> | string,
  surroundings: Surroundings = {},
): CheckedEstate {
  const { today = '2026-05-01', attachments = { 'rosters/hcg.csv': sampleRoster }, missing = [] } = surroundings
  const all = typeof files === 'string' ? { 'hcg.yaml': files } : files
  const sources: SourceFile[] = Object.entries(all).map(([path, text]) => ({ path, text }))
  return checkEstate(sources, {
    today,
    timeZone: 'America/Havana',
    attachment: path => attachments[path],
    hasDocument: path => !missing.includes(path),
  })
}

/** The sample with one thing changed; the change must apply, so that a test never passes on the untouched text. */
export function changed(from: string | RegExp, to: string): string {
  const text = sampleText.replace(from, to)
  if (text === sampleText) throw new Error(`nothing to change: ${from}`)
  return text
}

/** The text that a place points at, to its end column or to the end of the word. */
export function textAt(text: string, place: { line: number; column: number; endColumn?: number } | undefined): string {
  if (place === undefined) return ''
  const line = text.split('\n')[place.line - 1] ?? ''
  return line.slice(place.column - 1, place.endColumn === undefined ? undefined : place.endColumn - 1)
}
