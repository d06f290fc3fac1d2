/** The import rules of the house as a table, read from the import lines; and what pure folders must never touch. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

type Module = { readonly file: string; readonly text: string; readonly imports: readonly string[] }

function modulesOf(folder: string): Module[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name))
    .map(file => {
      const text = readFileSync(join(root, file), 'utf8')
      const imports = [
        ...text.matchAll(/(?:^|\n)(?:import|export)\b[^'"\n]*?(?:\{[^}]*\}[^'"\n]*?)?from '([^']+)'/g),
      ].map(([, from = '']) => (from.startsWith('.') ? relative(root, resolve(root, dirname(file), from)) : from))
      return { file, text, imports }
    })
}

const modules = [...modulesOf('agent'), ...modulesOf('policies'), ...modulesOf('providers')]

/** A folder may import from itself and from these. `node:` and libraries are judged by purity below. */
const allowed: readonly [from: string, to: readonly string[]][] = [
  ['agent/core/', []],
  ['agent/model/', ['agent/core/']],
  ['agent/standards/', ['agent/core/', 'agent/model/']],
  ['policies/', ['agent/core/', 'agent/model/', 'agent/standards/', 'agent/decision/', 'agent/manifest/schema.ts']],
  ['agent/manifest/', ['agent/core/', 'agent/model/', 'agent/standards/']],
  ['agent/register/', ['agent/core/', 'agent/model/']],
  ['agent/incident/', ['agent/core/', 'agent/model/', 'agent/register/register.ts']],
  [
    'agent/evidence/',
    ['agent/core/', 'agent/model/', 'agent/register/', 'agent/replay/lines.ts', 'agent/replay/sources.ts'],
  ],
  ['agent/handover/', ['agent/core/', 'agent/model/', 'agent/incident/', 'agent/register/register.ts']],
  ['agent/desired/', ['agent/core/', 'agent/model/', 'agent/standards/', 'providers/provider.ts']],
  [
    'agent/world/',
    ['agent/core/', 'agent/model/', 'agent/incident/', 'agent/detection/book.ts', 'agent/register/register.ts'],
  ],
  [
    'agent/detection/',
    [
      'agent/core/',
      'agent/model/',
      'agent/standards/',
      'agent/incident/',
      'agent/register/register.ts',
      'agent/replay/',
      'agent/evidence/mail-log.ts',
    ],
  ],
  ['agent/plan/', ['agent/core/', 'agent/model/', 'agent/desired/', 'agent/world/', 'providers/provider.ts']],
  [
    'agent/apply/',
    [
      'agent/core/',
      'agent/model/',
      'agent/plan/',
      'agent/register/register.ts',
      'agent/world/',
      'providers/provider.ts',
    ],
  ],
  ['agent/decision/', ['agent/core/', 'agent/model/', 'agent/standards/', 'agent/manifest/schema.ts', 'policies/']],
  [
    'agent/policy-test/',
    ['agent/core/', 'agent/model/', 'agent/standards/', 'agent/decision/', 'agent/manifest/', 'policies/'],
  ],
  [
    'agent/analysis/',
    ['agent/core/', 'agent/model/', 'agent/standards/', 'agent/decision/', 'agent/manifest/schema.ts', 'policies/'],
  ],
  ['agent/replay/', ['agent/core/', 'agent/model/', 'agent/decision/', 'agent/manifest/schema.ts', 'policies/']],
  [
    'agent/notify/',
    [
      'agent/core/',
      'agent/model/',
      'agent/incident/',
      'agent/register/register.ts',
      'agent/world/signals.ts',
      'agent/standards/',
      'providers/provider.ts',
    ],
  ],
]

const pure = [
  'agent/world/',
  'agent/desired/',
  'agent/plan/',
  'agent/incident/',
  'agent/handover/',
  'agent/detection/signs.ts',
  'agent/detection/book.ts',
  'agent/detection/respond.ts',
  'agent/detection/entries.ts',
  'agent/detection/complaints.ts',
  'agent/detection/logins.ts',
  'agent/detection/queue-growth.ts',
  'agent/evidence/bundle.ts',
  'agent/evidence/redact.ts',
  'agent/evidence/tar.ts',
  'agent/decision/snapshot.ts',
  'agent/decision/decide.ts',
  'agent/decision/explain.ts',
  'agent/analysis/',
  'agent/policy-test/',
  'agent/replay/lines.ts',
  'agent/replay/entries.ts',
  'agent/replay/messages.ts',
  'agent/replay/compare.ts',
  'agent/replay/replay.ts',
  'agent/register/entry.ts',
  'agent/register/tree.ts',
  'agent/register/checkpoint.ts',
  'agent/register/verify.ts',
  'policies/',
  'agent/model/',
]

describe('the house', () => {
  test.each(allowed)('%s imports only what it may', (folder, to) => {
    const own = modules.filter(module => module.file.startsWith(folder))
    expect(own.length).toBeGreaterThan(0)
    for (const module of own)
      for (const imported of module.imports.filter(name => /^(agent|policies|providers)\//.test(name)))
        expect(
          [folder, ...to].some(prefix => imported.startsWith(prefix)),
          `${module.file} imports ${imported}`,
        ).toBe(true)
  })

  test('a provider imports the interface, model, core, standards and itself, never another provider', () => {
    for (const module of modules.filter(({ file }) => /^providers\/[^/]+\//.test(file))) {
      const own = module.file.split('/').slice(0, 2).join('/')
      const may = [
        `${own}/`,
        'providers/provider.ts',
        'providers/judge.ts',
        'providers/list-members.ts',
        'providers/list-marks.ts',
        'providers/snippets.ts',
        'agent/model/',
        'agent/core/',
        'agent/standards/',
      ]
      for (const imported of module.imports.filter(name => /^(agent|policies|providers)\//.test(name)))
        expect(
          may.some(prefix => imported.startsWith(prefix)),
          `${module.file} imports ${imported}`,
        ).toBe(true)
    }
  })

  test('nobody imports the composition root but for types, or late by the start of a command', () => {
    for (const module of modules)
      if (module.imports.includes('agent/main.ts'))
        expect(module.text, module.file).toMatch(/import type \{[^}]*\} from '\.\.?\/(?:\.\.\/)*main\.ts'/)
    const late = modules.filter(({ text }) => /import\('[^']*main\.ts'\)/.test(text)).map(({ file }) => file)
    expect(late).toEqual(['agent/cli/start.ts'])
  })

  test('pure folders touch no file, socket, clock, timer or chance', () => {
    const forbidden = [
      /from 'node:(fs|net|dgram|child_process|timers|http|dns)/,
      /\bDate\.now\b/,
      /\bMath\.random\b/,
      /\bset(Timeout|Interval|Immediate)\(/,
      /\bnew Date\(\)/,
    ]
    for (const module of modules.filter(({ file }) => pure.some(prefix => file.startsWith(prefix))))
      for (const pattern of forbidden) expect(pattern.test(module.text), `${module.file} has ${pattern}`).toBe(false)
  })

  test('only the system clock reads the time of day', () => {
    const readers = modules
      .filter(({ text }) => /\bDate\.now\b/.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')))
      .map(({ file }) => file)
    expect(readers).toEqual(['agent/core/system-clock.ts'])
  })

  test('no cycles', () => {
    const graph = new Map(
      modules.map(module => [
        module.file,
        module.imports.filter(name => name.endsWith('.ts') && !name.endsWith('agent/main.ts')),
      ]),
    )
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]): void => {
      expect(path.includes(file), [...path, file].join(' → ')).toBe(false)
      if (done.has(file)) return
      for (const next of graph.get(file) ?? []) visit(next, [...path, file])
      done.add(file)
    }
    for (const file of graph.keys()) visit(file, [])
  })

  test('no shell, no unverified TLS, no default export', () => {
    for (const { file, text } of modules) {
      expect(/\bexec(Sync)?\(['"`]/.test(text.replaceAll(/\.exec\(/g, '(')), file).toBe(false)
      expect(/\bshell:\s*true|rejectUnauthorized:\s*false/.test(text), file).toBe(false)
      expect(/^export default/m.test(text), file).toBe(false)
    }
  })
})
