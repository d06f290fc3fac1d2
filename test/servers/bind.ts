/** Starts a private BIND on loopback below a temporary folder: a key, a control channel, the file of ours that is included. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TsigKey } from '../../agent/standards/tsig.ts'
import type { BindZoneMaking } from '../../providers/rfc2136/bind.ts'
import { freePort } from '../support/free-port.ts'
import { run } from './mail-servers.ts'
import {
  answersDns,
  createDaemon,
  createThirdParty,
  type Daemon,
  keyStatement,
  makeKey,
  type ThirdParty,
} from './name-server.ts'
import { absentOf } from './suite.ts'

export type Bind = {
  readonly folder: string
  readonly port: number
  readonly server: string
  readonly key: TsigKey
  readonly zoneMaking: BindZoneMaking
  readonly daemon: Daemon
  readonly third: ThirdParty
  /** A zone of somebody else in named.conf, with these lines in its file. */
  addForeignZone(apex: string, lines: readonly string[], statements?: string): void
  rndc(...args: string[]): { status: number | null; stdout: string; stderr: string }
  log(): string
  stop(): Promise<void>
}

const programs = ['/usr/sbin/named', '/usr/sbin/rndc', '/usr/bin/nsupdate', '/usr/bin/dig', '/usr/bin/named-checkzone']

export function whyNoBind(): string | null {
  const absent = absentOf(programs)
  if (absent !== null) return absent
  try {
    // Debian's profile lets named read its system folders only.
    if (/\/usr\/sbin\/named \(enforce\)/.test(readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8')))
      return 'AppArmor holds named to the folders of the system'
  } catch {
    // No AppArmor here.
  }
  return null
}

export type BindOptions = {
  readonly key?: TsigKey
  /** More keys, and more lines of named.conf. */
  readonly keys?: readonly TsigKey[]
  readonly more?: string
  /** Inside the options block. */
  readonly options?: string
}

export async function startBind(options: BindOptions = {}): Promise<Bind> {
  const folder = mkdtempSync('/tmp/mwb-')
  const [port, controlPort] = [await freePort(), await freePort()]
  const key = options.key ?? makeKey()
  const control = makeKey('control')
  mkdirSync(join(folder, 'other'))
  mkdirSync(join(folder, 'zones'))
  writeFileSync(join(folder, 'mailwarden.conf'), '')
  writeFileSync(join(folder, 'others.conf'), '')
  writeFileSync(
    join(folder, 'rndc.conf'),
    `${keyStatement(control)}options { default-key control; default-server 127.0.0.1; default-port ${controlPort}; };\n`,
  )
  const named = [
    ...[key, control, ...(options.keys ?? [])].map(keyStatement),
    `controls { inet 127.0.0.1 port ${controlPort} allow { 127.0.0.1; } keys { control; }; };`,
    `options { directory "${folder}/other"; pid-file "${folder}/named.pid"; session-keyfile "${folder}/session.key";`,
    `  managed-keys-directory "${folder}"; lock-file none; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };`,
    `  recursion no; dnssec-validation no; empty-zones-enable no; notify no; ${options.options ?? ''}`,
    `  allow-transfer { key "${key.name}"; }; tcp-clients 500; };`,
    `logging { channel f { file "${folder}/named.log"; severity notice; print-time yes; }; category default { f; }; };`,
    `include "${folder}/mailwarden.conf";`,
    `include "${folder}/others.conf";`,
    options.more ?? '',
  ]
  writeFileSync(join(folder, 'named.conf'), `${named.join('\n')}\n`, { mode: 0o600 })
  const daemon = createDaemon('/usr/sbin/named', ['-f', '-c', join(folder, 'named.conf')], folder, () =>
    answersDns(port),
  )
  const rndc = (...args: string[]) => run('/usr/sbin/rndc', ['-c', join(folder, 'rndc.conf'), ...args])
  const stop = async () => {
    await daemon.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await daemon.start()
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return {
    folder,
    port,
    server: `127.0.0.1:${port}`,
    key,
    zoneMaking: {
      kind: 'bind',
      folder: join(folder, 'zones'),
      include: join(folder, 'mailwarden.conf'),
      rndc: ['/usr/sbin/rndc', '-c', join(folder, 'rndc.conf')],
    },
    daemon,
    third: createThirdParty(folder, port, key),
    addForeignZone(apex, lines, statements = `allow-update { key "${key.name}"; };`) {
      writeFileSync(join(folder, 'other', apex), `${lines.join('\n')}\n`)
      const others = readFileSync(join(folder, 'others.conf'), 'utf8')
      writeFileSync(
        join(folder, 'others.conf'),
        `${others}zone "${apex}" { type primary; file "${apex}"; ${statements} };\n`,
      )
      const { status, stderr } = rndc('reconfig')
      if (status !== 0) throw new Error(`rndc: ${stderr}`)
    },
    rndc,
    log: () => readFileSync(join(folder, 'named.log'), 'utf8'),
    stop,
  }
}
