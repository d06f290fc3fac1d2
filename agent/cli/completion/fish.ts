/** The script for fish: one `complete` for each option, argument and command, where the words before it lead there. */
import { readFileSync } from 'node:fs'
import { allCommands, type CommandNode, type OptionNode, type Value } from './tree.ts'

/** Between single quotes fish knows two escapes. */
const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`

const told = (description: string) => (description === '' ? '' : ` -d ${quoted(description)}`)

/** What may stand there; fish evaluates the text after `-a`, whose words are plain. */
function takes(value: Value): string {
  switch (value.kind) {
    case 'one':
      return `-x -a ${quoted(value.words.join(' '))}`
    case 'list':
      return `-x -a ${quoted(`(__mailwarden_list ${value.words.join(' ')})`)}`
    case 'file':
      return '-r -F'
    case 'folder':
      return `-x -a ${quoted('(__fish_complete_directories)')}`
    case 'free':
      return '-x'
  }
}

const condition = (path: readonly string[], place = '') =>
  `-n ${quoted(`__mailwarden_at "${path.join(' ')}"${place === '' ? '' : ` ${place}`}`)}`

function optionLine({ names, description, value }: OptionNode, where: string): string {
  const forms = names.map(name => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const parts = [where, ...forms, ...(value === null ? [] : [takes(value)])].filter(part => part !== '')
  return `complete -c mailwarden ${parts.join(' ')}${told(description)}`
}

function linesOf({ path, commands, options, arguments: places }: CommandNode): string[] {
  return [
    ...commands.map(
      ({ name, description }) =>
        `complete -c mailwarden ${condition(path, '1')} -a ${quoted(name)}${told(description)}`,
    ),
    ...options.filter(({ reach }) => reach === 'command').map(option => optionLine(option, condition(path))),
    ...places.flatMap(({ value, times }, index) => {
      if (value.kind === 'free') return []
      const place = `${index + 1}${times === 'often' ? '+' : ''}`
      // Of an argument: no option that takes a value.
      const what = takes(value).replace(/^-[xr] /, '')
      return [`complete -c mailwarden ${condition(path, place)} ${what}`]
    }),
  ]
}

export function fishScript(program: CommandNode): string {
  const commands = allCommands(program)
  const valued = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, value, reach }) =>
      value === null || reach === 'everywhere' ? [] : names.map(name => quoted(`${path.join(' ')} ${name}`)),
    ),
  )
  const everywhere = program.options.flatMap(({ names, value }) =>
    value === null ? [] : names.map(name => quoted(`* ${name}`)),
  )
  const paths = commands.slice(1).map(({ path }) => quoted(path.join(' ')))
  const walk = readFileSync(new URL('walk.fish', import.meta.url), 'utf8')
  return `# fish completion of mailwarden, printed by "mailwarden completion fish".

# Does this option of this command take a value?
function __mailwarden_takes -a option
    switch $option
        case ${[...valued, ...everywhere].join(' ')}
            return 0
    end
    return 1
end

# Is this a command?
function __mailwarden_leads -a path
    contains -- $path ${paths.join(' ')}
end

${walk}
complete -c mailwarden -e
complete -c mailwarden -f
${program.options.map(option => optionLine(option, '')).join('\n')}
${commands.flatMap(linesOf).join('\n')}
`
}
