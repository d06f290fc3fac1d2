/**
 * Real shells that complete lines: what each would offer, and what a line becomes after TAB. A shell that is driven by keys
 * runs on a terminal that `script` makes; the program it calls prints its own words. Nothing here waits for a time.
 */
import { execFile, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Shell, shells } from '../../../agent/cli/completion/tree.ts'
import { launcher } from '../../support/estate.ts'

const run = promisify(execFile)
const outputBytesMax = 16 * 1024 * 1024 // of a shell that is asked about every command

export type Place = Disposable & {
  /** Where the shells stand: `mail one.log` and `manifests/`. */
  readonly folder: string
  readonly scripts: Readonly<Record<Shell, string>>
  readonly environment: Readonly<Record<string, string>>
}

async function printed(shell: Shell): Promise<string> {
  return (await run(process.execPath, [launcher, 'completion', shell, '--lang', 'en'])).stdout
}

/** A folder with the three scripts, as the command prints them or as given, a `mailwarden` that prints its words, and files to name. */
export async function makePlace(scripts?: (shell: Shell) => string): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'mw-tab-'))
  const [home, bin, folder] = [join(root, 'home'), join(root, 'bin'), join(root, 'here')]
  for (const each of [home, bin, folder, join(folder, 'manifests')]) mkdirSync(each)
  writeFileSync(join(folder, 'mail one.log'), '')
  writeFileSync(join(bin, 'mailwarden'), '#!/bin/sh\nprintf "@@"\nprintf "<%s>" "$@"\nprintf "@@\\n"\n')
  chmodSync(join(bin, 'mailwarden'), 0o755)
  const files = { bash: join(root, 'bash'), zsh: join(root, '_mailwarden'), fish: join(root, 'fish') }
  for (const shell of shells) writeFileSync(files[shell], scripts?.(shell) ?? (await printed(shell)))
  const { PATH = '' } = process.env
  return {
    folder,
    scripts: files,
    environment: { PATH: `${bin}:${PATH}`, HOME: home, TERM: 'vt100', LC_ALL: 'C.UTF-8' },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** readline ends a word at these too, and hands them over as words. */
const readlineWords = (line: string) =>
  line.split(' ').flatMap(word => (word === '' ? [''] : (word.match(/[=:@]+|[^=:@]+/g) ?? [])))

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

export type Offered = { readonly words: readonly string[]; readonly asksShellFor: string }

/** What the function offers to readline, in a bash that has read nothing else. @param lines what follows the command's name. */
export async function offeredByBash(place: Place, lines: readonly string[]): Promise<Offered[]> {
  const asked = lines.map(line => {
    const words = readlineWords(line)
    return `COMP_WORDS=(mailwarden ${words.map(quoted).join(' ')}) COMP_CWORD=${words.length} said=''
_mailwarden mailwarden
printf '%s\\n' "\${COMPREPLY[@]}" "=$said" ''`
  })
  const text = `set -u\ncompopt() { said=$*; }\nsource ${quoted(place.scripts.bash)}\n${asked.join('\n')}`
  const { stdout, stderr } = await run('bash', ['--noprofile', '--norc', '-c', text], {
    cwd: place.folder,
    env: place.environment,
    maxBuffer: outputBytesMax,
  })
  if (stderr !== '') throw new Error(stderr)
  return stdout
    .slice(0, -2)
    .split('\n\n')
    .map((answer, index) => {
      const words = answer.split('\n').filter(word => word !== '')
      const line = lines[index] ?? ''
      // readline keeps what is before the last of its breaks.
      const kept = /^(?:.*[=:@])?/.exec(line.split(' ').at(-1) ?? '')?.[0] ?? ''
      return { words: words.slice(0, -1).map(word => kept + word), asksShellFor: (words.at(-1) ?? '').slice(1) }
    })
}

export type Told = { readonly word: string; readonly description: string }

/** What fish would list, by its own account. */
export async function offeredByFish(place: Place, lines: readonly string[]): Promise<Told[][]> {
  const asked = lines.map(line => `complete -C ${quoted(`mailwarden ${line}`)}; echo =`)
  const text = [`source ${place.scripts.fish}`, ...asked].join('\n')
  const { stdout, stderr } = await run('fish', ['--no-config', '-c', text], {
    cwd: place.folder,
    env: place.environment,
    maxBuffer: outputBytesMax,
  })
  if (stderr !== '') throw new Error(stderr)
  return stdout
    .split('=\n')
    .slice(0, -1)
    .map(answer =>
      answer
        .split('\n')
        .filter(row => row !== '')
        .map(row => {
          const [word = '', description = ''] = row.split('\t')
          return { word, description }
        }),
    )
}

const starts = {
  bash: (place: Place) => ['bash --noprofile --norc -i', `unset HISTFILE; source ${place.scripts.bash}`],
  zsh: (place: Place) => ['zsh -f -i', `autoload -Uz compinit; compinit -u -D; source ${place.scripts.zsh}`],
  // As zsh itself finds it.
  'zsh-fpath': (place: Place) => [
    'zsh -f -i',
    `fpath=(${dirname(place.scripts.zsh)} $fpath); autoload -Uz compinit; compinit -u -D`,
  ],
  // All that would be listed is written into the line.
  'zsh-all': (place: Place) => [
    'zsh -f -i',
    `autoload -Uz compinit; compinit -u -D; source ${place.scripts.zsh}; ` +
      `all() { _main_complete; compstate[insert]=all compstate[list]='' }; zle -C all complete-word all; bindkey '^I' all`,
  ],
} as const

/** The words that the program gets when each line is typed, then TAB, then Enter, in a shell on a terminal. */
export async function typed(place: Place, shell: keyof typeof starts, lines: readonly string[]): Promise<string[][]> {
  const [command, setUp] = starts[shell](place)
  const terminal = spawn('script', ['-qec', `stty cols 5000 rows 50; exec ${command}`, '/dev/null'], {
    cwd: place.folder,
    env: place.environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  // Its end closes the terminal, which ends the shell.
  const end = () => terminal.kill('SIGKILL')
  process.once('exit', end)
  let screen = ''
  let told = () => {}
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text
    told()
  })
  let over = false
  const ended = new Promise<void>(resolve => {
    terminal.on('close', () => {
      over = true
      told()
      resolve()
    })
  })
  /** The next line of the program; a shell that ends without it has failed. */
  const answer = async (): Promise<string[]> => {
    for (;;) {
      const found = /@@((?:<[^>]*>)*)@@/.exec(screen)
      if (found !== null) {
        screen = screen.slice(found.index + found[0].length)
        return [...(found[1] ?? '').matchAll(/<([^>]*)>/g)].map(([, word = '']) => word)
      }
      if (over) throw new Error(`${shell} ended: ${screen}`)
      await new Promise<void>(resolve => {
        told = resolve
      })
    }
  }
  try {
    terminal.stdin.write(`${setUp}\rmailwarden ready\r`)
    await answer()
    const answers: string[][] = []
    for (const line of lines) {
      terminal.stdin.write(`mailwarden ${line}\t\r`)
      answers.push(await answer())
    }
    terminal.stdin.write('exit\r')
    await ended
    return answers
  } finally {
    end()
    process.off('exit', end)
  }
}
