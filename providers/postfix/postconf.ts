/** Postfix's configuration as it is in force: `postconf -x`, `-M` and `-P -x`, read and never written. postconf(1), master(5). */
import { ProviderFailure } from '../provider.ts'
import { callPostfix, type PostfixCommands } from './commands.ts'

export type Configuration = {
  /** main.cf with its defaults, `$names` put in. */
  readonly parameters: ReadonlyMap<string, string>
  /** Every smtpd of master.cf that listens. */
  readonly smtpds: readonly Smtpd[]
}
export type Smtpd = {
  /** `submission/inet`, as `postconf -P` names it. */
  readonly name: string
  /** Its `-o` options, `$names` put in. */
  readonly options: ReadonlyMap<string, string>
}

export async function readConfiguration(commands: PostfixCommands, signal: AbortSignal): Promise<Configuration> {
  const ask = (...args: string[]) => callPostfix({ argv: commands.postconf, args, signal })
  const [main, services, options] = await Promise.all([ask('-x'), ask('-M'), ask('-Px')])
  return parseConfiguration({ main, services, options })
}

export function parseConfiguration(texts: Record<'main' | 'services' | 'options', string>): Configuration {
  const options = settings(texts.options)
  const smtpds = texts.services.split('\n').flatMap((line): Smtpd[] => {
    const [service = '', type = '', , , , , , command] = line.split(/\s+/)
    if (command !== 'smtpd' || !/^(?:inet|unix|pass)$/.test(type)) return []
    const prefix = `${service}/${type}/`
    const own = [...options].filter(([name]) => name.startsWith(prefix))
    return [
      { name: prefix.slice(0, -1), options: new Map(own.map(([name, value]) => [name.slice(prefix.length), value])) },
    ]
  })
  return { parameters: settings(texts.main), smtpds }
}

/** `name = value`, one a line. */
function settings(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap(line => {
      const [, name, value] = /^(\S+) =\s?(.*)$/.exec(line) ?? []
      return name === undefined || value === undefined ? [] : [[name, value.trim()] as const]
    }),
  )
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 }

/** @param unit of a bare number, postconf(5). @returns undefined for what is no time. */
export function parseTimeMs(text: string, unit: 's' | 'd'): number | undefined {
  const [, digits, letter] = /^(\d+)([smhdw]?)$/.exec(text) ?? []
  if (digits === undefined) return undefined
  return Number(digits) * (unitSeconds[letter === '' || letter === undefined ? unit : letter] ?? 0) * 1_000
}

export type Lifetimes = { readonly messageMs: number; readonly bounceMs: number }

/** How long a message waits before it goes back to its sender. */
export async function readLifetimes(commands: PostfixCommands, signal: AbortSignal): Promise<Lifetimes> {
  const names = ['maximal_queue_lifetime', 'bounce_queue_lifetime']
  const parameters = settings(await callPostfix({ argv: commands.postconf, args: ['-x', ...names], signal }))
  const [messageMs, bounceMs] = names.map(name => parseTimeMs(parameters.get(name) ?? '', 'd'))
  if (messageMs === undefined || bounceMs === undefined)
    throw new ProviderFailure('malformed-reply', 'postconf does not say how long mail stays in the queue', {
      retry: 'later',
    })
  return { messageMs, bounceMs }
}

/** A restriction list as its words; a clause in braces is one word. postconf(5): blanks or commas between them. */
export function splitList(text: string): string[] {
  const words: string[] = []
  let word = ''
  let depth = 0
  for (const character of text) {
    if (character === '{') depth += 1
    if (character === '}') depth -= 1
    if (depth === 0 && /[\s,]/.test(character)) {
      if (word !== '') words.push(word)
      word = ''
    } else word += character
  }
  if (word !== '') words.push(word)
  return words
}

export type Settings = {
  readonly value: (name: string) => string
  /** The name under which the value in force stands. */
  readonly place: (name: string) => string
}

export function settingsOf(parameters: ReadonlyMap<string, string>, { name, options }: Smtpd): Settings {
  return {
    value: parameter => options.get(parameter) ?? parameters.get(parameter) ?? '',
    place: parameter => (options.has(parameter) ? `${name}/${parameter}` : parameter),
  }
}
