/**
 * Measures `loadEstate` against the YAML library alone on the same files: 2,000 institutions with 20 accounts each.
 * The ratio is what reading, checking across files and every place cost on top. Runs alone: `node test/bench/validate.ts`.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { loadEstate } from '../../agent/manifest/load.ts'

export type BenchResult = { readonly name: string; readonly ratio: number; readonly detail: string }

const institutionsCount = 2000
const accountsPerInstitution = 20
const rounds = 3

export async function benchValidate(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'mailwarden-bench-'))
  try {
    await writeEstate(folder)
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(await timed(() => parseAlone(folder)))
      ours.push(await timed(() => validate(folder)))
    }
    const ratio = Math.min(...ours) / Math.min(...theirs)
    const detail = `${institutionsCount * accountsPerInstitution} accounts in ${institutionsCount} files: validate ${seconds(ours)}, yaml alone ${seconds(theirs)} (best of ${rounds})`
    return { name: 'validate', ratio, detail }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function seconds(times: readonly number[]): string {
  return `${(Math.min(...times) / 1000).toFixed(2)} s`
}

async function timed(run: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}

async function parseAlone(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.yaml')) continue
    for (const document of parseAllDocuments(await readFile(join(folder, name), 'utf8'))) {
      if ('toJS' in document) document.toJS()
    }
  }
}

async function validate(folder: string): Promise<void> {
  const estate = await loadEstate(folder, { today: '2026-05-01', timeZone: 'America/Havana' })
  const errors = estate.diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new Error(`the generated estate has errors: ${JSON.stringify(errors[0])}`)
  if (estate.estates.size !== institutionsCount) throw new Error(`${estate.estates.size} institutions were read`)
}

async function writeEstate(folder: string): Promise<void> {
  await mkdir(join(folder, 'rosters'))
  for (let index = 0; index < institutionsCount; index += 1) {
    await writeFile(join(folder, `inst-${index}.yaml`), institutionYaml(index))
    const staff = Array.from({ length: accountsPerInstitution }, (_, account) => `I${index}-${account},A,B,`)
    await writeFile(join(folder, 'rosters', `${index}.csv`), ['id,name,post,until', ...staff, ''].join('\n'))
  }
}

function institutionYaml(index: number): string {
  const accounts = Array.from(
    { length: accountsPerInstitution },
    (_, account) => `    - name: user${account}
      holder: { name: María López, id: I${index}-${account}, post: Enfermera, purpose: asistencia, category: care }
      request: SC-1`,
  )
  return `apiVersion: mailwarden/v1
kind: Institution
metadata: { name: inst-${index} }
spec:
  title: Policlínico ${index}
  province: La Habana
  director: { name: Ana Ruiz, email: ana${index}@directores.example }
  representatives: [{ name: Luis Mora, id: I${index}-0, email: luis${index}@correo.example, from: 2026-01-01 }]
  contract:
    number: ${index}/2026
    signedOn: 2026-01-01
    validUntil: 2029-01-01
    document: evidence/${index}.pdf
    supplements: [{ type: 3, signedOn: 2026-01-01, document: evidence/s${index}.pdf }]
  capacity: { determinedOn: 2026-01-01, validUntil: 2027-01-01, national: { capacity: 1, used: 1 }, provincial: { capacity: 1, used: 1 }, document: evidence/c${index}.pdf }
  networks: [10.20.0.0/16]
  servers: [{ host: mail.inst-${index}.sld.cu, addresses: [10.20.0.5], role: [collect] }]
  roster: rosters/${index}.csv
---
apiVersion: mailwarden/v1
kind: MailDomain
metadata: { name: inst-${index}.sld.cu }
spec:
  institution: inst-${index}
  delivery: multipop
  administrator: { login: admin }
  collector: { login: multipop }
  limits: { accounts: 50, storage: 2GiB }
---
apiVersion: mailwarden/v1
kind: AccountList
metadata: { name: inst-${index}.sld.cu }
spec:
  domain: inst-${index}.sld.cu
  requests:
    - { number: SC-1, agreement: { number: "41", date: 2026-01-02 }, filedBy: I${index}-0, approvedBy: director, signed: true, stamped: true, document: evidence/r${index}.pdf }
  accounts:
${accounts.join('\n')}
`
}

if (import.meta.main) {
  const { name, ratio, detail } = await benchValidate()
  console.log(`${name}: ${ratio.toFixed(2)} of the YAML library alone; ${detail}`)
}
