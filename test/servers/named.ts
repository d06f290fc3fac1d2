/** A real BIND on loopback, in the foreground below a temporary folder, that serves zones from their text. Stopped by its own process id. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { waitUntil } from './mail-servers.ts'
import { absentOf } from './suite.ts'

const program = '/usr/sbin/named'
const dig = '/usr/bin/dig'

export const whyNoNamed = (): string | null => absentOf([program, dig])

export type Named = { readonly port: number; stop(): Promise<void> }

/** @param zones apex to the text of a master file. */
export async function startNamed(zones: Readonly<Record<string, string>>): Promise<Named> {
  const folder = mkdtempSync('/tmp/mw-')
  chmodSync(folder, 0o755)
  const port = await freePort()
  for (const [apex, text] of Object.entries(zones)) writeFileSync(join(folder, `${apex}.zone`), text)
  const clauses = Object.keys(zones).map(apex => `zone "${apex}" { type primary; file "${folder}/${apex}.zone"; };`)
  writeFileSync(
    join(folder, 'named.conf'),
    `options { directory "${folder}"; pid-file "${folder}/named.pid"; session-keyfile "${folder}/session.key";
  managed-keys-directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; empty-zones-enable no; notify no; };
controls { };
${clauses.join('\n')}
`,
  )
  let log = ''
  const child: ChildProcess = spawn(program, ['-g', '-n', '1', '-c', join(folder, 'named.conf')], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr?.on('data', octets => {
    log += octets
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    process.off('exit', kill)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await waitUntil('an answer from named', () => {
      if (child.exitCode !== null) throw new Error(`named ended with ${child.exitCode}`)
      if (/not loaded due to errors/.test(log)) throw new Error('a zone is wrong')
      if (!/all zones loaded/.test(log)) return false
      const asked = ['@127.0.0.1', '-p', String(port), '+time=1', '+tries=1', 'version.bind', 'TXT', 'CH']
      return spawnSync(dig, asked, { timeout: 5_000 }).status === 0
    })
  } catch (error) {
    await stop()
    throw new Error(`named did not start:\n${log}`, { cause: error })
  }
  return { port, stop }
}
