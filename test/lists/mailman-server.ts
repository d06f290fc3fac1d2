/** A real Mailman core with its REST runner alone, privately on loopback below one temporary folder, stopped by its own process id. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '../servers/mail-servers.ts'
import { absentOf } from '../servers/suite.ts'
import { freePort } from '../support/free-port.ts'

const program = '/usr/bin/mailman'

export function whyNoMailman(): string | null {
  return (
    absentOf([program, '/usr/lib/mailman3/bin']) ?? (process.getuid?.() === 0 ? null : 'it is started as root here')
  )
}

export type MailmanServer = {
  readonly folder: string
  readonly url: string
  readonly password: string
  /** Another hand than the provider's. @returns the status and the reply. */
  call(method: string, path: string, form?: readonly (readonly [string, string])[]): Promise<[number, any]>
  /** Many at once, by Mailman's own program: the API takes them one by one. */
  addMembers(list: string, addresses: readonly string[]): void
  stop(): Promise<void>
}

const others = 'archive bounces command in lmtp nntp out pipeline retry task virgin digest'.split(' ')

export async function startMailman(): Promise<MailmanServer> {
  const folder = mkdtempSync('/tmp/mw-mm-')
  const [port, smtp, lmtp] = [await freePort(), await freePort(), await freePort()]
  const password = `pw-${process.pid}-${port}`
  const file = join(folder, 'mailman.cfg')
  writeFileSync(
    file,
    `[mailman]
site_owner: postmaster@lists.example
layout: here
[paths.here]
var_dir: ${folder}/var
bin_dir: /usr/lib/mailman3/bin
[webservice]
hostname: 127.0.0.1
port: ${port}
admin_user: restadmin
admin_pass: ${password}
workers: 2
[mta]
incoming: mailman.mta.null.NullMTA
smtp_host: 127.0.0.1
smtp_port: ${smtp}
lmtp_host: 127.0.0.1
lmtp_port: ${lmtp}
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:///${folder}/var/mailman.db
${others.map(runner => `[runner.${runner}]\nstart: no`).join('\n')}
`,
    { mode: 0o600 },
  )
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', MAILMAN_CONFIG_FILE: file }
  const pidFile = join(folder, 'var/master.pid')
  const master = () => {
    try {
      const pid = Number(readFileSync(pidFile, 'utf8').trim())
      return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ') ? undefined : pid
    } catch {
      return undefined
    }
  }
  // A test run that is broken off leaves no server behind; the master ends its runners.
  const kill = () => {
    const pid = master()
    if (pid !== undefined) process.kill(pid, 'SIGTERM')
  }
  process.on('exit', kill)
  const url = `http://127.0.0.1:${port}/3.1`
  const server: MailmanServer = {
    folder,
    url,
    password,
    async call(method, path, form) {
      const authorization = `Basic ${Buffer.from(`restadmin:${password}`).toString('base64')}`
      const body = form === undefined ? null : new URLSearchParams()
      for (const [name, value] of form ?? []) body?.append(name, value)
      const reply = await fetch(url + path, { method, headers: { authorization }, body })
      const text = await reply.text()
      return [reply.status, text === '' ? {} : JSON.parse(text)]
    },
    addMembers(list, addresses) {
      const args = ['--run-as-root', 'addmembers', '--no-welcome-msg', '-', list]
      const input = `${addresses.join('\n')}\n`
      const { status, stderr } = spawnSync(program, args, { cwd: folder, env, input, encoding: 'utf8' })
      if (status !== 0) throw new Error(`mailman addmembers ended with ${status}: ${stderr}`)
    },
    async stop() {
      kill()
      await waitUntil('the end of Mailman', () => master() === undefined)
      process.off('exit', kill)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  const { status } = spawnSync(program, ['--run-as-root', 'start'], { cwd: folder, env, stdio: 'ignore' })
  if (status !== 0) throw new Error(`mailman ended with ${status}`)
  await waitUntil('an answer of Mailman', async () => {
    try {
      return (await server.call('GET', '/system/versions'))[0] === 200
    } catch {
      return false
    }
  })
  return server
}
