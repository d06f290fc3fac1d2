/** An engine on real embedded parts in a folder of its own, without command line or daemon: for crash tests and benchmarks. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Clock, dayOf } from '../../agent/core/clock.ts'
import { silentLog } from '../../agent/core/log.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { readConfig } from '../../agent/manifest/config.ts'
import { createCountryReader } from '../../agent/manifest/country-data.ts'
import { createEstateReader } from '../../agent/manifest/load.ts'
import type { ProviderName } from '../../agent/model/resource.ts'
import type { AgentConfig } from '../../agent/model/world.ts'
import { Engine } from '../../agent/reconcile/engine.ts'
import { createQueue } from '../../agent/reconcile/queue.ts'
import { openSqliteRegister, type SqliteRegister } from '../../agent/register/sqlite.ts'
import { emptyHistory, foldEntry } from '../../agent/world/history.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { openEmbeddedDns } from '../../providers/embedded-dns/dns.ts'
import type { CredentialStore, Provider } from '../../providers/provider.ts'

export const configText = `apiVersion: mailwarden/v1
kind: Agent
spec:
  manifests: ./manifests
  state: ./var
  operator:
    name: Infomed
    people: [{ name: ana, role: responder }, { name: berta, role: security-lead }]
  mail:
    mx: [{ host: mx1.operator.example, priority: 10 }]
    nameServers: [ns1.operator.example]
    hostmaster: hostmaster@operator.example
  limits: { updatePercent: 100 }
`

export type OpenEngine = AsyncDisposable & {
  readonly engine: Engine
  readonly register: SqliteRegister
  readonly credentials: CredentialStore
  readonly config: AgentConfig
}

let keys = 0

/** @param folder holds `manifests/`; the state goes to `var/`. */
export async function openEngine(
  folder: string,
  options: {
    clock?: Clock
    /** One more provider, with the lines below `spec` that configure it. */
    lists?: { readonly text: string; readonly provider: Provider }
  } = {},
): Promise<OpenEngine> {
  const clock = options.clock ?? systemClock
  const file = join(folder, 'mailwarden.yaml')
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, configText + (options.lists?.text ?? ''))
  const { config } = await readConfig(file)
  if (config === null) throw new Error('the configuration of the tests is wrong')
  mkdirSync(config.stateFolder, { recursive: true })
  const history = emptyHistory()
  const register = await openSqliteRegister({
    file: config.storeFile,
    keysFolder: join(config.stateFolder, 'keys'),
    witnessFiles: config.witnessFiles,
    clock,
    random: bytes => randomBytes(bytes),
    onEntry: entry => foldEntry(history, entry),
  })
  const directory = await openEmbeddedDirectory({ file: join(config.stateFolder, 'directory.db'), clock })
  const dns = await openEmbeddedDns({ file: join(config.stateFolder, 'dns.db'), listen: null, clock })
  const reader = createEstateReader(config.manifestsFolder)
  const setting = config.national.countryData
  const country =
    setting === null ? null : createCountryReader({ setting, folder: dirname(config.file), kept: async () => null })
  const engine = new Engine({
    config,
    register,
    installation: register.origin,
    target: 'test',
    providers: new Map<ProviderName, Provider>([
      ['directory', directory as unknown as Provider],
      ['dns', dns as unknown as Provider],
      ...(options.lists === undefined ? [] : [['lists', options.lists.provider] as const]),
    ]),
    clock,
    log: silentLog,
    queue: createQueue(),
    history,
    loadEstate: () =>
      reader.load({ today: dayOf(clock.now(), config.operator.timeZone), timeZone: config.operator.timeZone }),
    loadCountry: async () => (await country?.read()) ?? null,
    // Real RSA keys would take most of the time of a crash suite and prove nothing more.
    generateDkimKey: async () => {
      keys += 1
      const publicKey = Buffer.from(`key ${keys}`).toString('base64')
      return { selector: `mw${keys}`, publicKey, privateKeyPem: 'none' }
    },
    writeDkimKey: async () => {},
  })
  await engine.reload()
  return {
    engine,
    register,
    credentials: directory,
    config,
    async [Symbol.asyncDispose]() {
      await dns[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
      await register[Symbol.asyncDispose]()
    },
  }
}
