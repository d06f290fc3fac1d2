/** Completion in real shells: what each offers for a table of lines, for every command and option, and what TAB types. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Shell, shells } from '../../../agent/cli/completion/tree.ts'
import { completionScript } from '../../../agent/cli/completion.ts'
import { oneOf } from '../../../agent/cli/declare.ts'
import { createIo } from '../../../agent/cli/io.ts'
import { type Composition, declareProgram } from '../../../agent/cli/program.ts'
import { incidentClasses, levers } from '../../../agent/model/incident.ts'
import { absentOf, describeServers } from '../../servers/suite.ts'
import { createEstate } from '../../support/estate.ts'
import { makePlace, offeredByBash, offeredByFish, type Place, typed } from './shells.ts'

/** What is typed behind the command's name, and the whole words that may stand in place of the last. */
type Case = readonly [line: string, words: readonly string[]]

const table: readonly Case[] = [
  ['inc', ['incident']],
  ['nothing-like-it', []],
  ['incident a', ['accept', 'acknowledge', 'action', 'annul']],
  ['incident --json --lang=es ac', ['accept', 'acknowledge', 'action']],
  ['--lang es inc', ['incident']],
  ['--config incident reg', ['register']],
  ['-V -h inc', ['incident']],
  ['incident list s', []],
  ['help inc', ['incident']],
  ['incident help sh', ['show']],
  ['suspend x.example --cl', ['--class']],
  ['suspend x.example --d', ['--drill', '--dry-run']],
  ['suspend --dry-run jperez@x.example --cl', ['--class']],
  ['suspend --reason incident --dr', ['--drill', '--dry-run']],
  ['suspend x.example --class ', incidentClasses],
  ['suspend x.example --class p', ['phishing', 'privileged-account-compromise']],
  ['suspend x.example --class=p', ['--class=phishing', '--class=privileged-account-compromise']],
  ['suspend x.example --only re', ['receive', 'relay']],
  ['suspend x.example --only send,re', ['send,receive', 'send,relay']],
  ['suspend x.example --only relay,send,re', ['relay,send,receive']],
  ['suspend x.example --only=send,l', ['--only=send,login']],
  ['suspend x.example --reason ', []],
  ['suspend ', []],
  ['init --with ldap:p', ['ldap:postfix-book']],
  ['init --with postfix,ldap:i', ['postfix,ldap:iredmail']],
  ['init --with=knot,ldap:i', ['--with=knot,ldap:iredmail']],
  ['incident mail INC-2026-0001 ', ['keep', 'release']],
  ['incident mail INC-2026-0001 --direction ', ['in', 'out']],
  ['incident mail INC-2026-0001 --recipient-class n', ['national']],
  ['incident mail ', []],
  ['incident export INC-2026-0001 --format iodef', ['iodef-json', 'iodef-xml']],
  ['withdraw x.example --grounds e', ['ethics']],
  ['policy diff --only g', ['gained']],
  ['apply --accept delete=3 --accept ', []],
  ['apply --accept delete=3 --acc', ['--accept']],
  ['explain a@x.example b@y.example --li', ['--listener']],
  ['plan -- --', []],
  ['incident mail -- INC-2026-0001 k', ['keep']],
  ['completion ', ['bash', 'fish', 'zsh']],
  ['--lang ', ['en', 'es']],
]

/** The commands as declared; none is run, so nothing is lent to them. */
const program = await declareProgram(
  createIo({ language: 'en', json: false, environment: {} }),
  { version: '0' } as Composition,
  [],
  () => {},
)

const everyCommand = (command: Command, path: readonly string[] = []): (readonly [readonly string[], Command])[] => [
  [path, command],
  ...command.commands.flatMap(child => everyCommand(child, [...path, child.name()])),
]

/** What each command must offer, by what commander holds: its commands, its options, and the words of each option. */
const owed: readonly Case[] = everyCommand(program).flatMap(([path, { commands, options }]) => {
  const begin = path.map(word => `${word} `).join('')
  const names = [...options, ...program.options].flatMap(({ short, long }) => [short, long])
  const offered = new Set([...names.filter(name => name !== undefined), '-h', '--help'])
  return [
    ...(commands.length > 0 ? [[begin, [...commands.map(child => child.name()), 'help']] as const] : []),
    [`${begin}-`, [...offered]] as const,
    ...options.flatMap(({ long, argChoices }) =>
      argChoices === undefined ? [] : [[`${begin}${long} `, argChoices] as const],
    ),
  ]
})

/** A shell that evaluated this text would leave a file behind. */
const trap = 'it\'s "$(touch trapped)" `touch trapped` [x]: a\\b ;touch trapped; %F{red} $HOME {a,b} *'
const traps = new Command('mailwarden').description(trap).helpCommand(false)
traps.command('one [thing]').description(trap).option('--other <thing>', trap).option('--more', trap)
traps.command('two').description('two')

let place: Place
let hostile: Place
beforeAll(async () => {
  place = await makePlace()
  hostile = await makePlace(shell => completionScript(traps, shell))
})
afterAll(() => {
  place[Symbol.dispose]()
  hostile[Symbol.dispose]()
})

describe('the command', () => {
  test('names the shells that it knows to whoever names none of them', async () => {
    await using estate = await createEstate({})
    for (const args of [['completion'], ['completion', 'csh']])
      expect(await estate.cli(args)).toMatchObject({ exit: 64, out: '', err: expect.stringContaining('bash|zsh|fish') })
    const { json } = await estate.json(['completion', 'fish', '--lang', 'es'])
    expect(json).toMatchObject({ version: 1, shell: 'fish', script: expect.stringContaining("-d 'imprimir JSON'") })
  })

  test('help names the words that an option takes, and a mistake does, in the language of whoever asks', async () => {
    await using estate = await createEstate({})
    const help = (await estate.cli(['suspend', '--help', '--lang', 'es'])).out.replaceAll(/\s+/g, ' ')
    expect(help).toContain(`--class <clase> ${incidentClasses.join(', ')}`)
    expect(help).toContain(`--only <puertas> ${levers.join(', ')}`)
    const wrong = await estate.cli(['import', 'ldap', '--ldif', 'x', '--profile', 'z', '--lang', 'es'])
    expect(wrong).toMatchObject({ exit: 64, err: expect.stringContaining('toma una de estas: iredmail, postfix-book') })
  })
})

test('a word that would mean something to a shell is a bug, told when the script is made', () => {
  for (const word of ['$(touch x)', 'a b', '--all', "it's", '*', '']) {
    const odd = new Command('mailwarden')
    odd.command('one').addOption(oneOf('--of <word>', ['fine', word]))
    for (const shell of shells) expect(() => completionScript(odd, shell)).toThrow('safe on a command line')
  }
})

/** The whole words that each shell would put in place of the last of each line. */
const ask: Readonly<Record<Shell, (lines: readonly string[]) => Promise<(readonly string[])[]>>> = {
  bash: async lines => (await offeredByBash(place, lines)).map(({ words }) => words),
  fish: async lines => (await offeredByFish(place, lines)).map(rows => rows.map(({ word }) => word)),
  async zsh(lines) {
    const answers = await typed(place, 'zsh-all', lines)
    return answers.map((words, index) => {
      const before = lines[index]?.split(' ') ?? []
      const last = before.pop()
      const found = words.slice(before.length)
      return found.length === 1 && found[0] === last ? [] : found
    })
  },
}

async function expectOffered(shell: Shell, cases: readonly Case[]): Promise<void> {
  const found = await ask[shell](cases.map(([line]) => line))
  const shown = (all: readonly (readonly string[])[]) =>
    Object.fromEntries(all.map((words, index) => [cases[index]?.[0], words.toSorted()]))
  expect(shown(found)).toEqual(shown(cases.map(([, words]) => words)))
}

/** Keys, TAB, Enter: what the program then gets. */
const keys: readonly Case[] = [
  ['inc', ['incident']],
  ['suspend x.example --class=ph', ['suspend', 'x.example', '--class=phishing']],
  ['suspend x.example --class "ph', ['suspend', 'x.example', '--class', 'phishing']],
  ['suspend jperez@x.example --only send,lo', ['suspend', 'jperez@x.example', '--only', 'send,login']],
  ['init --with=knot,ldap:i', ['init', '--with=knot,ldap:iredmail']],
  ['explain --li', ['explain', '--listener']],
  ['plan --ou', ['plan', '--out']],
  ['validate --js', ['validate', '--json']],
  ['incident evidence --b', ['incident', 'evidence', '--bundle']],
  ['replay mai', ['replay', 'mail one.log']],
  ['import ldap --ldif=mai', ['import', 'ldap', '--ldif=mail one.log']],
  ['explain a@x.example b@y.example --li', ['explain', 'a@x.example', 'b@y.example', '--listener']],
]
const hostileKeys: readonly Case[] = [
  ['on', ['one']],
  ['one --oth', ['one', '--other']],
  ["one '$(touch trapped)' --mo", ['one', '$(touch trapped)', '--more']],
]
const needs = {
  bash: ['/bin/bash', '/usr/bin/script'],
  zsh: ['/bin/zsh', '/usr/bin/script'],
  fish: ['/usr/bin/fish'],
} as const

for (const shell of shells)
  describeServers(
    `completion in ${shell}`,
    () => absentOf(needs[shell]),
    () => {
      test('offers what the table says', () => expectOffered(shell, table))

      test('offers every command, every option, and every word of an option', () => expectOffered(shell, owed))
    },
  )

describeServers(
  'keys in bash',
  () => absentOf(needs.bash),
  () => {
    test('TAB types it', async () => {
      const lines = [...keys, ['policy diff man', ['policy', 'diff', 'manifests/']] as const]
      expect(
        await typed(
          place,
          'bash',
          lines.map(([line]) => line),
        ),
      ).toEqual(lines.map(([, got]) => got))
    })

    test('files and folders are left to readline, and nothing else is', async () => {
      const found = await offeredByBash(place, ['validate a ', 'replay --config ', '--config=', 'init ', 'suspend '])
      expect(found.map(({ asksShellFor }) => asksShellFor)).toEqual([...Array(3).fill('-o default'), '-o dirnames', ''])
      expect(found.flatMap(({ words }) => words)).toEqual([])
    })

    test('no text is evaluated', async () => {
      expect(
        await typed(
          hostile,
          'bash',
          hostileKeys.map(([line]) => line),
        ),
      ).toEqual(hostileKeys.map(([, got]) => got))
      expect(existsSync(join(hostile.folder, 'trapped'))).toBe(false)
    })
  },
)

describeServers(
  'keys in zsh',
  () => absentOf(needs.zsh),
  () => {
    test('TAB types it, sourced or found in a folder of fpath', async () => {
      const lines = [...keys, ['policy diff man', ['policy', 'diff', 'manifests']] as const]
      for (const start of ['zsh', 'zsh-fpath'] as const)
        expect(
          await typed(
            place,
            start,
            lines.map(([line]) => line),
          ),
          start,
        ).toEqual(lines.map(([, got]) => got))
    })

    test('no text is evaluated', async () => {
      expect(
        await typed(
          hostile,
          'zsh',
          hostileKeys.map(([line]) => line),
        ),
      ).toEqual(hostileKeys.map(([, got]) => got))
      expect(existsSync(join(hostile.folder, 'trapped'))).toBe(false)
    })
  },
)

describeServers(
  'descriptions in fish',
  () => absentOf(needs.fish),
  () => {
    test('each command and option says what help says of it', async () => {
      const [commands, options] = await offeredByFish(place, ['', 'plan --out'])
      expect(Object.fromEntries((commands ?? []).map(({ word, description }) => [word, description]))).toMatchObject(
        Object.fromEntries(program.commands.map(command => [command.name(), command.description()])),
      )
      expect(options).toEqual([{ word: '--out', description: 'save the plan' }])
    })

    test('files and folders', async () => {
      const found = await offeredByFish(place, ['replay ', 'policy diff ', 'import ldap --ldif mai', 'suspend '])
      expect(found.map(rows => rows.map(({ word }) => word))).toEqual([
        ['mail one.log', 'manifests/'],
        ['manifests/'],
        ['mail one.log'],
        [],
      ])
    })

    test('no text is evaluated', async () => {
      const [command, option] = await offeredByFish(hostile, ['on', 'one --oth'])
      expect(command).toEqual([{ word: 'one', description: trap }])
      expect(option).toEqual([{ word: '--other', description: trap }])
      expect(existsSync(join(hostile.folder, 'trapped'))).toBe(false)
    })
  },
)
