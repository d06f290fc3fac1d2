/**
 * Where a command begins. What a command that only asks the daemon does not need is loaded when it is needed: at three
 * in the morning a prompt should be back before one wonders.
 */
import { readFileSync } from 'node:fs'
import { dayOf } from '../core/clock.ts'
import { systemClock } from '../core/system-clock.ts'
import { exits } from './io.ts'
import { type Composition, runProgram } from './program.ts'

const packageFile = new URL('../../package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }

const composition: Composition = {
  version,
  today: () => dayOf(systemClock.now(), 'America/Havana'),
  todayIn: timeZone => dayOf(systemClock.now(), timeZone),
  local: async (config, request, io) => (await import('../main.ts')).runLocally(config, request, io),
  runDaemon: async (config, io) => (await import('../main.ts')).runHere(config, io, version),
  async snippets({ directory, dns, ...mail }) {
    const { renderSnippets } = await import('../../providers/embedded-directory/snippets.ts')
    const { renderLdapSnippets } = await import('../../providers/ldap/snippets.ts')
    const { renderPowerDnsSnippets } = await import('../../providers/powerdns/snippets.ts')
    const { renderRfc2136Snippets } = await import('../../providers/rfc2136/snippets.ts')
    const mailFiles =
      directory.kind === 'embedded'
        ? renderSnippets({ ...mail, directory: directory.file })
        : renderLdapSnippets({ ...mail, ...directory })
    if (dns.kind === 'embedded') return mailFiles
    const { kind } = dns
    return [
      ...mailFiles,
      ...(kind === 'powerdns' ? renderPowerDnsSnippets(dns) : renderRfc2136Snippets({ ...dns, server: kind })),
    ]
  },
  worlds: async (config, other) => (await import('../main.ts')).readWorlds(config, other),
  async validate(paths, root, timeZone) {
    const { loadEstate } = await import('../manifest/load.ts')
    const checked = await loadEstate(root, { today: dayOf(systemClock.now(), timeZone), timeZone, paths })
    return checked.diagnostics
  },
}

export async function main(argv: readonly string[]): Promise<void> {
  process.on('uncaughtException', bug)
  process.on('unhandledRejection', bug)
  // A reader that has seen enough (`| head`) is no fault of ours.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') bug(error)
    })
  try {
    process.exitCode = await runProgram(argv, process.env, composition)
  } catch (error) {
    bug(error)
  }
}

/** The last resort: said in one line, ended with 70; the supervisor starts anew and Postfix waits meanwhile. */
function bug(error: unknown): void {
  const known = error instanceof Error && error.name === 'RegisterFailure'
  const detail = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)
  process.stderr.write(`${known ? detail : `mailwarden: this is a bug in mailwarden: ${detail}`}\n`)
  process.exit(known ? exits.failed : exits.bug)
}
