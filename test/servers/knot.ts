/** Starts a private Knot DNS on loopback below a temporary folder, run from a configuration database as zone making needs it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TsigKey } from '../../agent/standards/tsig.ts'
import type { KnotZoneMaking } from '../../providers/rfc2136/knot.ts'
import { freePort } from '../support/free-port.ts'
import { run } from './mail-servers.ts'
import { createDaemon, createThirdParty, type Daemon, makeKey, type ThirdParty } from './name-server.ts'
import { absentOf } from './suite.ts'

export type Knot = {
  readonly folder: string
  readonly port: number
  readonly server: string
  readonly key: TsigKey
  readonly zoneMaking: KnotZoneMaking
  readonly daemon: Daemon
  readonly third: ThirdParty
  addForeignZone(apex: string, lines: readonly string[], acl?: 'all' | 'update-only'): void
  knotc(...lines: string[]): string
  log(): string
  stop(): Promise<void>
}

export function whyNoKnot(): string | null {
  return absentOf(['/usr/sbin/knotd', '/usr/sbin/knotc', '/usr/bin/nsupdate', '/usr/bin/dig'])
}

export async function startKnot(options: { readonly key?: TsigKey } = {}): Promise<Knot> {
  const folder = mkdtempSync('/tmp/mwk-')
  const port = await freePort()
  const key = options.key ?? makeKey()
  for (const name of ['db', 'zones', 'other']) mkdirSync(join(folder, name))
  const configuration = `server:
    rundir: ${folder}
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 2
    background-workers: 2
database:
    storage: ${folder}/db
control:
    listen: ${folder}/knot.sock
log:
  - target: ${folder}/knot.log
    any: warning
key:
  - id: ${key.name}
    algorithm: ${key.algorithm}
    secret: ${key.secret.reveal()}
acl:
  - id: all
    key: ${key.name}
    action: [transfer, update]
  - id: update-only
    key: ${key.name}
    action: update
template:
  - id: default
    storage: ${folder}/other
    acl: all
    journal-content: changes
`
  writeFileSync(join(folder, 'knot.conf'), configuration, { mode: 0o600 })
  const knotc = (...lines: string[]) => {
    const { stdout, stderr } = run('/usr/sbin/knotc', ['-s', join(folder, 'knot.sock')], `${lines.join('\n')}\n`)
    return `${stdout}${stderr}`
  }
  const daemon = createDaemon('/usr/sbin/knotd', ['-C', join(folder, 'confdb')], folder, () =>
    /^Running/m.test(knotc('status')),
  )
  try {
    const { status, stderr } = run('/usr/sbin/knotc', [
      '-C',
      join(folder, 'confdb'),
      'conf-import',
      join(folder, 'knot.conf'),
    ])
    if (status !== 0) throw new Error(`knotc: ${stderr}`)
    await daemon.start()
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  const third = createThirdParty(folder, port, key)
  return {
    folder,
    port,
    server: `127.0.0.1:${port}`,
    key,
    zoneMaking: {
      kind: 'knot',
      folder: join(folder, 'zones'),
      knotc: ['/usr/sbin/knotc', '-s', join(folder, 'knot.sock')],
    },
    daemon,
    third,
    addForeignZone(apex, lines, acl = 'all') {
      writeFileSync(join(folder, 'other', `${apex}.zone`), `${lines.join('\n')}\n`)
      const said = knotc('conf-begin', `conf-set zone[${apex}]`, `conf-set zone[${apex}].acl ${acl}`, 'conf-commit')
      if (/error/.test(said)) throw new Error(`knotc: ${said} ${readFileSync(join(folder, 'output'), 'utf8')}`)
    },
    knotc,
    log: () => readFileSync(join(folder, 'knot.log'), 'utf8'),
    async stop() {
      await daemon.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
