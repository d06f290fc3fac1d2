/** `doctor`: what mailwarden stands on, looked at from the outside. Changes nothing; each finding says what to do. */
import { existsSync, statfsSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { callDaemon } from '../control/client.ts'
import { controlSocketPath, type OperationResult } from '../control/protocol.ts'
import type { CountryView } from '../control/views.ts'
import type { AgentConfig } from '../model/world.ts'
import { type LocalRunner, loadConfig } from './call.ts'
import type { Options } from './declare.ts'
import { exits, type Io } from './io.ts'
import { countrySources } from './render.ts'
import { printable, type Say, type TextKey } from './texts.ts'

type Check = {
  /** Stable, for scripts. */
  readonly code: string
  readonly name: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly detail: string
}

/** Below this much room a busy day could fill the disk; suspensions need room to be recorded. */
const freeBytesMin = 256 * 1024 * 1024

/** What a check says when it holds, and when it does not. */
type Told = { readonly name: string; readonly good: string; readonly bad: string }

function check(code: string, ok: boolean, { name, good, bad }: Told, otherwise: 'warn' | 'fail' = 'fail'): Check {
  return { code, name, result: ok ? 'ok' : otherwise, detail: ok ? good : bad }
}

function modeCheck(say: Say, code: string, file: string, names: { name: TextKey; wanted: TextKey }): Check {
  const { mode } = statSync(file)
  const told = { file, mode: (mode & 0o777).toString(8) }
  return check(code, (mode & 0o027) === 0, {
    name: say(names.name),
    good: say('doctorMode', told),
    bad: say('doctorModeBad', { ...told, wanted: say(names.wanted) }),
  })
}

function absent(say: Say, code: string, name: TextKey, file: string): Check {
  const detail = say('doctorAbsent', { file })
  return check(code, false, { name: say(name), good: detail, bad: detail }, 'warn')
}

function folderChecks(config: AgentConfig, say: Say): Check[] {
  const folder = config.stateFolder
  if (!existsSync(folder)) return [absent(say, 'state-folder', 'doctorFolder', folder)]
  const { bavail, bsize } = statfsSync(folder)
  const room = { free: Math.floor((bavail * bsize) / 1024 / 1024), min: freeBytesMin / 1024 / 1024 }
  const key = join(folder, 'keys', 'register.key')
  return [
    modeCheck(say, 'state-folder', folder, { name: 'doctorFolder', wanted: 'doctorFolderMode' }),
    check('disk', bavail * bsize > freeBytesMin, {
      name: say('doctorDisk'),
      good: say('doctorFree', room),
      bad: say('doctorFreeBad', room),
    }),
    existsSync(key)
      ? modeCheck(say, 'register-key', key, { name: 'doctorKey', wanted: 'doctorKeyMode' })
      : absent(say, 'register-key', 'doctorKey', key),
  ]
}

function peopleChecks(config: AgentConfig, say: Say): Check[] {
  const of = (role: string) => config.operator.people.filter(person => person.role === role).map(person => person.name)
  const [responders, leads] = [of('responder'), of('security-lead')]
  const told = (name: TextKey, people: readonly string[], bad: TextKey): Told => ({
    name: say(name),
    good: people.join(', '),
    bad: say(bad, { count: people.length }),
  })
  return [
    check('responder', responders.length > 0, told('doctorSuspend', responders, 'doctorNoResponder'), 'warn'),
    check('second-person', leads.length > 0, told('doctorRelease', leads, 'doctorNoLead'), 'warn'),
    check('withdrawal', leads.length > 1, told('doctorWithdraw', leads, 'doctorFewLeads'), 'warn'),
  ]
}

/** Addresses change hands slowly: a few in a thousand move in a quarter. */
const countryAgeDaysMax = 90

function countryCheck({ state, sources, path, diagnostics }: CountryView, say: Say): Check {
  const found = countrySources(sources, say)
  const name = say('countryData')
  if (state !== 'current') {
    const why = diagnostics.find(({ severity }) => severity === 'error')
    const bad = [
      path,
      say(state === 'kept' ? 'countryKept' : 'countryNone'),
      why && `${why.file}:${why.line} ${why.detail}`,
    ]
      .filter(Boolean)
      .join(': ')
    return check('country-data', false, { name, good: found, bad })
  }
  const isFresh = sources.every(({ ageDays }) => ageDays <= countryAgeDaysMax)
  const bad = say('countryOld', { sources: found, max: countryAgeDaysMax })
  return check('country-data', isFresh, { name, good: found, bad }, 'warn')
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
  const { say } = io
  const told = { name: say('doctorDaemon'), good: say('doctorDaemonUp'), bad: say('doctorDaemonDown') }
  const checks = [check('daemon', up !== undefined, told, 'warn')]
  const { error, register, providers, configuration, country, diagnostics } = status.json as {
    error?: string
    configuration?: { file: string; changed: boolean }
    register?: { trusted: boolean; findings: string[]; size: number }
    providers?: { name: string; ok: boolean; target: string; detail: string | null }[]
    country?: CountryView | null
    diagnostics?: { severity: string }[]
  }
  if (error !== undefined)
    return [...checks, check('status', false, { name: say('doctorStatus'), good: '', bad: error })]
  if (register)
    checks.push(
      check('register', register.trusted, {
        name: say('doctorRegister'),
        good: say('doctorEntries', { size: register.size }),
        bad: register.findings.join(' '),
      }),
    )
  if (up !== undefined && configuration !== undefined)
    checks.push(
      check(
        'configuration',
        !configuration.changed,
        {
          name: say('doctorConfiguration'),
          good: configuration.file,
          bad: say('configurationChanged', { file: configuration.file }),
        },
        'warn',
      ),
    )
  for (const { name, ok, target, detail } of providers ?? [])
    checks.push(
      check(`provider-${name}`, ok, { name: say('doctorProvider', { name }), good: target, bad: detail ?? target }),
    )
  if (country) checks.push(countryCheck(country, say))
  const errors = (diagnostics ?? []).filter(diagnostic => diagnostic.severity === 'error').length
  const manifests = {
    name: say('doctorManifests'),
    good: config.manifestsFolder,
    bad: say('doctorErrors', { errors }),
  }
  checks.push(check('manifests', errors === 0, manifests, 'warn'))
  if (up !== undefined)
    for (const { on: address } of config.listen.policy) {
      // Where systemd listens, only it knows.
      if (address.startsWith('systemd:')) continue
      checks.push(
        check('policy-service', await reachable(address), {
          name: say('doctorPolicy', { address }),
          good: say('doctorPolicyGood'),
          bad: say('doctorPolicyBad'),
        }),
      )
    }
  return checks
}

type Examined = {
  readonly host: string
  readonly target: string
  readonly trouble: string | null
  readonly findings: readonly { code: string; parameter: string; found: string; wanted: string }[]
}

type Trouble = { readonly trouble: string | null }

/** Systems and mail hosts as they are: a lever that can't work is better known today than at three in the morning. */
async function systemChecks(config: AgentConfig, io: Io, local: LocalRunner): Promise<Check[]> {
  const { json } = await local(config, { operation: 'examine', args: { language: io.language }, user: 'doctor' }, io)
  const hosts = (json['hosts'] ?? []) as readonly Examined[]
  const doors = (json['doors'] ?? []) as readonly (Trouble & { door: string })[]
  const systems = (json['systems'] ?? []) as readonly (Trouble & { name: string; objects: number | null })[]
  const readChecks = systems.map(({ name, objects, trouble }) =>
    check(`read-${name}`, trouble === null, {
      name: io.say('doctorRead', { name }),
      good: io.say('doctorObjects', { objects: objects ?? 0 }),
      bad: trouble ?? '',
    }),
  )
  const doorChecks = doors.map(({ door, trouble }) =>
    check(
      'login-door',
      trouble === null,
      {
        name: io.say('doctorDoor', { door }),
        good: io.say('doctorDoorGood'),
        bad: trouble ?? '',
      },
      'warn',
    ),
  )
  return [
    ...readChecks,
    ...doorChecks,
    ...hosts.flatMap(({ host, target, trouble, findings }) => {
      const name = io.say('doctorHost', { host })
      if (trouble !== null) return [check('mail-host', false, { name, good: target, bad: trouble })]
      if (findings.length === 0) return [check('mail-host', true, { name, good: target, bad: target })]
      return findings.map(({ code, parameter, found, wanted }) =>
        check(
          code,
          false,
          { name, good: target, bad: io.say('doctorParameter', { parameter, found, wanted }) },
          code === 'open-relay' ? 'fail' : 'warn',
        ),
      )
    }),
  ]
}

export async function doctorCommand(io: Io, local: LocalRunner, options: Options): Promise<number> {
  const config = await loadConfig(options, io)
  const checks = [
    ...folderChecks(config, io.say),
    ...peopleChecks(config, io.say),
    ...(await daemonChecks(config, io, local)),
    ...(await systemChecks(config, io, local)),
  ]
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
