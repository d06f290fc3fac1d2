/** `doctor`: what mailwarden stands on, looked at from the outside. Changes nothing; each finding says what to do. */
import { statfsSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { callDaemon } from '../control/client.ts'
import { controlSocketPath, type OperationResult } from '../control/protocol.ts'
import type { AgentConfig } from '../model/world.ts'
import { type LocalRunner, loadConfig } from './call.ts'
import type { Options } from './declare.ts'
import { exits, type Io } from './io.ts'
import { printable } from './texts.ts'

type Check = { readonly name: string; readonly result: 'ok' | 'warn' | 'fail'; readonly detail: string }

/** Below this much room a busy day could fill the disk; suspensions need room to be recorded. */
const freeBytesMin = 256 * 1024 * 1024

function check(name: string, ok: boolean, detail: string, otherwise: 'warn' | 'fail' = 'fail'): Check {
  return { name, result: ok ? 'ok' : otherwise, detail }
}

function folderChecks(config: AgentConfig): Check[] {
  try {
    const { mode } = statSync(config.stateFolder)
    const { bavail, bsize } = statfsSync(config.stateFolder)
    const free = bavail * bsize
    return [
      check(
        'state folder is private',
        (mode & 0o027) === 0,
        `${config.stateFolder} has mode ${(mode & 0o777).toString(8)}; wanted 700, or 2750 with the group of Postfix and Dovecot`,
      ),
      check('room on the disk', free > freeBytesMin, `${Math.floor(free / 1024 / 1024)} MiB free`),
      keyCheck(config),
    ]
  } catch {
    return [
      check(
        'state folder',
        false,
        `${config.stateFolder} is not there yet: the first "run" or "apply" makes it`,
        'warn',
      ),
    ]
  }
}

function keyCheck(config: AgentConfig): Check {
  const file = join(config.stateFolder, 'keys', 'register.key')
  try {
    const { mode } = statSync(file)
    return check(
      'register key is private',
      (mode & 0o027) === 0,
      `${file} has mode ${(mode & 0o777).toString(8)}; wanted 600`,
    )
  } catch {
    return check('register key', false, `${file} is not there yet: the first "run" or "apply" makes it`, 'warn')
  }
}

function peopleChecks(config: AgentConfig): Check[] {
  const of = (role: string) => config.operator.people.filter(person => person.role === role).map(person => person.name)
  const leads = of('security-lead')
  return [
    check(
      'somebody can suspend',
      of('responder').length > 0,
      `responders: ${of('responder').join(', ') || 'none'}`,
      'warn',
    ),
    check('a second person can release', leads.length > 0, `security leads: ${leads.join(', ') || 'none'}`, 'warn'),
    check(
      'two can withdraw',
      leads.length > 1,
      `a withdrawal needs two security leads; there are ${leads.length}`,
      'warn',
    ),
  ]
}

/** A policy service that refuses a connection makes all mail wait; Postfix would notice before anybody else. */
function reachable(address: string): Promise<boolean> {
  return new Promise(resolve => {
    const unix = address.startsWith('unix:')
    const colon = address.lastIndexOf(':')
    const socket = unix
      ? createConnection(address.slice(5))
      : createConnection(Number(address.slice(colon + 1)), address.slice(0, colon).replace(/^\[|\]$/g, ''))
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2_000, () => end(false))
    socket.on('connect', () => end(true))
    socket.on('error', () => end(false))
  })
}

async function daemonChecks(config: AgentConfig, io: Io, local: LocalRunner): Promise<Check[]> {
  const request = { operation: 'status', args: { language: io.language }, user: 'doctor' }
  const up = await callDaemon(controlSocketPath(config.stateFolder), request, () => {}).catch(
    (error: Error): OperationResult => ({ exit: 1, json: { error: error.message } }),
  )
  const status = up ?? (await local(config, request, io))
  const checks = [
    check(
      'daemon runs',
      up !== undefined,
      up === undefined ? 'start it with "mailwarden run"' : 'answers on its control socket',
      'warn',
    ),
  ]
  const { register, providers, diagnostics } = status.json as {
    register?: { trusted: boolean; findings: string[]; size: number }
    providers?: { name: string; ok: boolean; target: string; detail: string | null }[]
    diagnostics?: { severity: string }[]
  }
  if (register)
    checks.push(
      check(
        'register is whole',
        register.trusted,
        register.trusted ? `${register.size} entries` : register.findings.join('; '),
      ),
    )
  for (const provider of providers ?? [])
    checks.push(check(`${provider.name} answers`, provider.ok, provider.detail ?? provider.target))
  const errors = (diagnostics ?? []).filter(diagnostic => diagnostic.severity === 'error').length
  checks.push(
    check(
      'manifests are valid',
      errors === 0,
      errors === 0 ? config.manifestsFolder : `${errors} errors: see "mailwarden validate"`,
      'warn',
    ),
  )
  if (up !== undefined)
    for (const address of config.listen.policy)
      checks.push(check(`policy service on ${address}`, await reachable(address), 'Postfix would defer all mail'))
  return checks
}

export async function doctorCommand(io: Io, local: LocalRunner, options: Options): Promise<number> {
  const config = await loadConfig(options, io)
  const checks = [...folderChecks(config), ...peopleChecks(config), ...(await daemonChecks(config, io, local))]
  const failed = checks.some(({ result }) => result === 'fail')
  const warned = checks.some(({ result }) => result === 'warn')
  if (io.json) io.out(JSON.stringify({ version: 1, ok: !failed, checks }, null, 2))
  else
    io.out(
      checks.map(
        ({ name, result, detail }) =>
          `${io.paint(result === 'ok' ? 'add' : 'warn', result.padEnd(4))}  ${name}: ${printable(detail)}`,
      ),
    )
  return failed ? exits.failed : warned ? exits.pending : exits.done
}
