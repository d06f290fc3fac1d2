/**
 * What private name servers have in common: a free port, a key made for the run, a process of our own that is asked for an
 * answer until it gives one and is ended by its own id, and the tools of others as third parties.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../../agent/core/secret.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatMasterValue, parseRdata } from '../../agent/standards/dns-text.ts'
import type { TsigAlgorithm, TsigKey } from '../../agent/standards/tsig.ts'
import { run, waitUntil } from './mail-servers.ts'

const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

export function makeKey(name = 'mw', algorithm: TsigAlgorithm = 'hmac-sha256'): TsigKey {
  return { name, algorithm, secret: new Secret(randomBytes(32).toString('base64')) }
}

export function keyStatement({ name, algorithm, secret }: TsigKey): string {
  return `key "${name}" { algorithm ${algorithm}; secret "${secret.reveal()}"; };\n`
}

/** A server process in the foreground. */
export type Daemon = {
  /** Begins it, when it does not run, and waits for its first answer. */
  start(): Promise<void>
  /** SIGTERM and its end, or SIGKILL. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  running(): boolean
}

export function createDaemon(
  program: string,
  args: readonly string[],
  folder: string,
  ready: () => boolean | Promise<boolean>,
): Daemon {
  let child: ChildProcess | undefined
  // A test run that is broken off leaves no server behind.
  const kill = () => child?.kill('SIGKILL')
  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null
  return {
    running,
    async start() {
      const output = openSync(join(folder, 'output'), 'a')
      process.once('exit', kill)
      child = spawn(program, args, { env: environment, stdio: ['ignore', output, output], cwd: folder })
      try {
        await waitUntil(`an answer of ${program}`, () => {
          if (!running()) throw new Error(`${program} ended: ${readFileSync(join(folder, 'output'), 'utf8')}`)
          return ready()
        })
      } catch (error) {
        kill()
        throw error
      }
    },
    async stop(signal = 'SIGTERM') {
      process.off('exit', kill)
      if (child === undefined || !running()) return
      const ended = new Promise(resolve => child?.once('exit', resolve))
      child.kill(signal)
      await ended
    },
  }
}

/** The server answers at all, whatever it says. */
export function answersDns(port: number): boolean {
  const args = ['+tcp', '+time=1', '+tries=1', '@127.0.0.1', '-p', String(port), 'version.bind', 'txt', 'ch']
  return /status: [A-Z]+/.test(run('/usr/bin/dig', args).stdout)
}

/** A third party with tools of its own: what is new gets no mark, what stands keeps the mark that it has. */
export type ThirdParty = {
  write(resource: DnsResource, value: DnsResource | null): void
  /** The lines of an nsupdate batch; gives what it said. */
  nsupdate(lines: readonly string[]): { status: number | null; stderr: string }
  /** A transfer as `dig` shows it. */
  transfer(zone: string): string
  keyFile: string
}

export function createThirdParty(folder: string, port: number, key: TsigKey): ThirdParty {
  const keyFile = join(folder, `${key.name}.key`)
  writeFileSync(keyFile, keyStatement(key), { mode: 0o600 })
  const party: ThirdParty = {
    keyFile,
    nsupdate: lines =>
      run('/usr/bin/nsupdate', ['-v', '-k', keyFile], `server 127.0.0.1 ${port}\n${lines.join('\n')}\n`),
    transfer: zone =>
      run('/usr/bin/dig', ['+tcp', '+noall', '+answer', '-k', keyFile, '@127.0.0.1', '-p', String(port), zone, 'axfr'])
        .stdout,
    write(resource, value) {
      if (resource.kind === 'zone') throw new Error('a third party makes zones the server’s own way')
      const { owner, type, zone } = resource
      const lines = [`zone ${zone}`]
      // The server keeps the last NS and the SOA whatever it is told, so these are added first.
      const additions = value?.kind === 'rrset' ? value.values : []
      const add = additions.map(text => {
        const rdata = parseRdata(type, text)
        return `update add ${owner}. ${value?.kind === 'rrset' ? value.ttl : 0} ${type} ${rdata === undefined ? text : formatMasterValue(rdata, 2 ** 31)}`
      })
      if (type !== 'SOA') lines.push(`update delete ${owner}. ${type}`)
      const { status, stderr } = party.nsupdate([...lines, ...add, 'send'])
      if (status !== 0) throw new Error(`nsupdate: ${stderr}`)
    },
  }
  return party
}
