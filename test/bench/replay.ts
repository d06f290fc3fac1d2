/**
 * Measures `mailwarden replay` on a log of a million lines beside `zcat | awk`, which only takes the same fields out, and
 * beside pflogsumm where it is installed, which puts messages together and decides nothing. Also how the memory grows
 * when the log is four times as long. Runs alone: `node test/bench/replay.ts`.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'

const root = fileURLToPath(new URL('../..', import.meta.url))
const messages = 125_000 // eight lines each
const rounds = 3
const awkProgram = `
function field(name, end,   at, rest) { at = index($0, name); if (!at) return ""; rest = substr($0, at + length(name)); return substr(rest, 1, index(rest, end) - 1) }
/smtpd\\[.*: client=/ { client[$6] = field("client=", ","); login[$6] = substr($0, index($0, "sasl_username=") + 14) }
/qmgr\\[.*: from=</ { from[$6] = field("from=<", ">") }
/: to=<.*status=/ { print client[$6], login[$6], from[$6], field("to=<", ">"), field("status=", " ") }
/NOQUEUE: reject: RCPT/ { print field("from ", ":"), "", field("from=<", ">"), field("to=<", ">"), "reject" }
/: removed$/ { delete client[$6]; delete login[$6]; delete from[$6] }`

export async function benchReplay(): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'mailwarden-bench-'))
  const [one, four] = [join(folder.path, 'one.gz'), join(folder.path, 'four.gz')]
  await writeLog(one, messages)
  await writeLog(four, 4 * messages)
  const awk = join(folder.path, 'fields.awk')
  await writeFile(awk, awkProgram)
  const ours: number[] = []
  const theirs: number[] = []
  const summer = run('pflogsumm', ['--help']).status === null ? null : ([] as number[])
  for (let round = 0; round < rounds; round += 1) {
    // A shell would be one more program; zcat's output is a file, and both times are counted.
    theirs.push(timed(() => awkOf(one, awk)))
    summer?.push(timed(() => must(run('pflogsumm', ['--problems-first'], unpacked(one)))))
    ours.push(timed(() => replay(one)))
  }
  const [small, large] = [replay(one), replay(four)]
  const ratio = (to: readonly number[]) => (Math.min(...ours) / Math.min(...to)).toFixed(2)
  const beside = summer === null ? 'pflogsumm is not installed' : `${ratio(summer)} of pflogsumm`
  const perSecond = Math.round((messages * 8) / (Math.min(...ours) / 1000))
  console.log(
    `replay: ${ratio(theirs)} of zcat and awk, ${beside}   ${perSecond} lines/s with the start of the command; ` +
      `four times the log takes ${(large / small).toFixed(2)} of the memory`,
  )
}

function awkOf(file: string, program: string): void {
  must(run('awk', ['-f', program], unpacked(file)))
}

function unpacked(file: string): Buffer {
  return must(run('zcat', [file]))
}

/** @returns the most memory that it had, in KB. */
function replay(file: string): number {
  const config = join(root, 'config/mailwarden.yaml')
  const launch = join(root, 'agent/cli/launch.mjs')
  const measured = ['-f', '%M', process.execPath, launch, 'replay', '--config', config, '--json', file]
  const { status, stderr } = run('/usr/bin/time', measured)
  if (status !== 2) throw new Error(`replay ended with ${status}: ${stderr}`)
  return Number(stderr.trim().split('\n').at(-1))
}

function run(program: string, args: readonly string[], input?: Buffer) {
  const { status, stdout, stderr } = spawnSync(program, args, { maxBuffer: 2 ** 31 - 1, ...(input && { input }) })
  return { status, stdout, stderr: String(stderr) }
}

function must({ status, stdout, stderr }: ReturnType<typeof run>): Buffer {
  if (status !== 0) throw new Error(stderr)
  return stdout
}

function timed(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

/** Of each eight lines six are of a message, two of a refusal. */
async function writeLog(file: string, count: number): Promise<void> {
  const gzip = createGzip({ level: 1 })
  gzip.pipe(createWriteStream(file))
  const begin = Date.UTC(2026, 2, 1)
  for (let index = 0; index < count; index += 1) {
    const stamp = new Date(begin + index * 500).toISOString().replace('Z', '000+00:00')
    const head = (program: string) => `${stamp} mx postfix/${program}`
    const queue = `4jY${index.toString(9).padStart(7, '0')}zRjbx`
    const login = `${index % 3 === 0 ? 'mlopez' : `u${index % 5000}`}@hcg.sld.cu`
    const recipient = `r${index % 7000}@${index % 4 === 0 ? 'who.int' : 'minsap.cu'}`
    const text = [
      `${head('submission/smtpd')}[${100 + (index % 50)}]: connect from pc[10.20.0.9]`,
      `${head('submission/smtpd')}[${100 + (index % 50)}]: ${queue}: client=pc[10.20.0.9], sasl_method=PLAIN, sasl_username=${login}`,
      `${head('cleanup')}[200]: ${queue}: message-id=<${index}@pc.example>`,
      `${head('qmgr')}[300]: ${queue}: from=<${login}>, size=4711, nrcpt=1 (queue active)`,
      `${head('smtp')}[400]: ${queue}: to=<${recipient}>, relay=mx.example[192.0.2.25]:25, delay=0.5, delays=0.1/0/0.2/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 12345)`,
      `${head('qmgr')}[300]: ${queue}: removed`,
      `${head('smtpd')}[${500 + (index % 50)}]: NOQUEUE: reject: RCPT from h[203.0.113.9]: 554 5.7.1 <x@other.example>: Relay access denied; from=<s@remote.example> to=<x@other.example> proto=ESMTP helo=<h>`,
      `${head('smtpd')}[${500 + (index % 50)}]: disconnect from h[203.0.113.9] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4`,
    ]
    if (!gzip.write(`${text.join('\n')}\n`)) await once(gzip, 'drain')
  }
  gzip.end()
  await once(gzip, 'close')
}

if (import.meta.main) await benchReplay()
