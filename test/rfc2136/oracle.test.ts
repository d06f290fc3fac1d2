/**
 * Our TSIG and UPDATE against the tools of others: what nsupdate, dig, knsupdate and kdig sign we verify and would have
 * signed alike, what we sign they take; and PowerDNS, which makes no zones for us, takes and gives the records of its own.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../agent/core/system-clock.ts'
import { parseMessage } from '../../agent/standards/dns-message.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { numbers } from '../../agent/standards/dns-wire.ts'
import { signFollowing, signMessage, type TsigKey, tsigAlgorithms, verifyRequest } from '../../agent/standards/tsig.ts'
import type { Provider } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, never, remove, results, rrset, soa, update, zone } from '../dns/bench.ts'
import { startBind, whyNoBind } from '../servers/bind.ts'
import { startKnot, whyNoKnot } from '../servers/knot.ts'
import { run } from '../servers/mail-servers.ts'
import {
  answersDns,
  createDaemon,
  createThirdParty,
  type Daemon,
  keyStatement,
  makeKey,
  type ThirdParty,
} from '../servers/name-server.ts'
import { absentOf, describeServers } from '../servers/suite.ts'
import { freePort } from '../support/free-port.ts'
import { apply, changesTo, observeAll, openProvider, resources, type Server } from './support.ts'

type Ended = { readonly status: number; readonly said: string }

/** Without blocking: the one that answers is in this process. */
function runTool(program: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise(resolve => {
    const child = execFile(
      program,
      args,
      { env: { PATH: '/usr/bin', LC_ALL: 'C' }, timeout: 20_000 },
      (error, out, err) => resolve({ status: error === null ? 0 : Number(error.code ?? -1), said: `${out}${err}` }),
    )
    child.stdin?.end(input)
  })
}

/** A server of ours that signs with our code; keeps what it was asked. */
async function startSigner(
  key: TsigKey,
  asker = key,
): Promise<{ port: number; asked: Buffer[]; close: () => Promise<void> }> {
  const asked: Buffer[] = []
  const server = createServer(socket => {
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', chunk => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const message = Buffer.from(rest.subarray(2, 2 + rest.readUInt16BE(0)))
        rest = rest.subarray(2 + message.length)
        asked.push(message)
        for (const answer of answersTo(message, key, asker))
          socket.write(Buffer.concat([numbers([answer.length, 2]), answer]))
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    asked,
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}

const soaRdata = Buffer.concat([Buffer.from([0, 0]), numbers([7, 4], [60, 4], [60, 4], [60, 4], [60, 4])])

/** UPDATE: done. Anything else: a zone of two records in four messages, two of which are unsigned. */
function answersTo(message: Buffer, key: TsigKey, asker: TsigKey): Buffer[] {
  const at = systemClock.now()
  const parsed = parseMessage(message)!
  const verdict = verifyRequest(message, asker, at)
  if (verdict.verdict !== 'verified') return []
  const questionEnd = 12 + parsed.question!.name.length + 2 + 4
  const answer = (records: readonly Buffer[]) => {
    const octets = Buffer.concat([message.subarray(0, questionEnd), ...records])
    octets.writeUInt16BE(0x8400 | (parsed.opcode << 11), 2)
    for (const [index, count] of [1, records.length, 0, 0].entries()) octets.writeUInt16BE(count, 4 + 2 * index)
    return octets
  }
  const record = (type: number, rdata: Buffer) =>
    Buffer.concat([numbers([0xc00c, 2], [type, 2], [1, 2], [60, 4], [rdata.length, 2]), rdata])
  if (parsed.opcode === 5) return [signMessage(answer([]), key, at, verdict.mac).octets]
  const first = signMessage(answer([record(6, soaRdata)]), key, at, verdict.mac)
  if (parsed.question!.type === 6) return [first.octets]
  const middle = [1, 2].map(last => answer([record(1, Buffer.from([192, 0, 2, last]))]))
  const last = signFollowing(answer([record(6, soaRdata)]), key, at, first.mac, middle)
  return [first.octets, ...middle, last.octets]
}

/** The message without its TSIG, signed by us for the same second. */
function signedByUs(message: Buffer, key: TsigKey): Buffer {
  const tsig = parseMessage(message)!.additionals.at(-1)!
  const bare = Buffer.from(message.subarray(0, tsig.at))
  bare.writeUInt16BE(message.readUInt16BE(10) - 1, 10)
  return signMessage(bare, key, tsig.rdata.readUIntBE(tsig.rdata.indexOf(0) + 1, 6) * 1000).octets
}

/** What each of the tools says of a signature that does not hold. */
const doubt = /verif|BADSIG|WARNING|failed|\berror\b/i
const tools = ['/usr/bin/nsupdate', '/usr/bin/dig', '/usr/bin/knsupdate', '/usr/bin/kdig']

describeServers(
  'the tools of others',
  () => absentOf(tools),
  () => {
    describe.each(tsigAlgorithms)('with %s', algorithm => {
      const key = makeKey('Key.Example', algorithm)
      const folder = mkdtempSync('/tmp/mwo-')
      const keyFile = join(folder, 'key')
      writeFileSync(keyFile, keyStatement(key), { mode: 0o600 })
      const knotKeyFile = join(folder, 'knot')
      writeFileSync(knotKeyFile, `${key.algorithm}:${key.name}:${key.secret.reveal()}\n`, { mode: 0o600 })
      let signer: Awaited<ReturnType<typeof startSigner>>
      beforeAll(async () => {
        signer = await startSigner(key)
      })
      afterAll(async () => {
        await signer.close()
        rmSync(folder, { recursive: true, force: true })
      })
      test('of which each says so when a signature does not hold', async () => {
        const other = join(folder, 'other')
        const stranger = { ...makeKey(key.name, algorithm), name: key.name }
        const deaf = await startSigner(stranger, key)
        writeFileSync(other, keyStatement(key), { mode: 0o600 })
        const { said } = await runTool('/usr/bin/dig', [
          '+tcp',
          '-k',
          other,
          '@127.0.0.1',
          '-p',
          String(deaf.port),
          'a.example',
          'soa',
        ])
        await deaf.close()
        expect([deaf.asked.length, said]).toEqual([1, expect.stringMatching(doubt)])
      })
      const batch = () =>
        `server 127.0.0.1 ${signer.port}\nzone a.example\nupdate add www.a.example 60 A 192.0.2.1\nsend\n`
      const at = () => ['@127.0.0.1', '-p', String(signer.port)]

      test.each([
        ['nsupdate', () => runTool('/usr/bin/nsupdate', ['-v', '-k', keyFile], batch())],
        ['knsupdate', () => runTool('/usr/bin/knsupdate', ['-v', '-k', knotKeyFile], batch())],
        ['dig SOA', () => runTool('/usr/bin/dig', ['+tcp', '-k', keyFile, ...at(), 'a.example', 'soa'])],
        ['kdig SOA', () => runTool('/usr/bin/kdig', ['+tcp', '-k', knotKeyFile, ...at(), 'a.example', 'soa'])],
        ['dig AXFR', () => runTool('/usr/bin/dig', ['+tcp', '-k', keyFile, ...at(), 'a.example', 'axfr'])],
        ['kdig AXFR', () => runTool('/usr/bin/kdig', ['+tcp', '-k', knotKeyFile, ...at(), 'a.example', 'axfr'])],
      ] as const)('%s signs as we do, and takes our signature', async (name, ask) => {
        signer.asked.length = 0
        const { status, said } = await ask()
        expect(signer.asked.length).toBeGreaterThan(0)
        for (const message of signer.asked) {
          expect(verifyRequest(message, key, systemClock.now()).verdict).toBe('verified')
          expect(signedByUs(message, key).toString('hex')).toBe(message.toString('hex'))
        }
        expect([status, said]).toEqual([0, expect.not.stringMatching(doubt)])
        if (name.endsWith('AXFR')) expect(said).toMatch(/192\.0\.2\.1[\s\S]*192\.0\.2\.2/)
      })
    })
  },
)

const { small, full, changed } = dnsStates

async function walk(server: Server): Promise<void> {
  await using dns = openProvider(server, { zones: [] })
  for (const desired of [small, full, changed, []]) {
    const outcomes = await apply(dns, changesTo(await observeAll(dns), desired))
    expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
    expect(new Set(resources(await observeAll(dns)))).toEqual(new Set(desired))
  }
}

describeServers('hmac-sha512 on BIND', whyNoBind, () => {
  test('carries a walk through all states', async () => {
    const bind = await startBind({ key: makeKey('mw512', 'hmac-sha512') })
    await walk(bind).finally(bind.stop)
  })
})

describeServers('hmac-sha512 on Knot', whyNoKnot, () => {
  test('carries a walk through all states', async () => {
    const knot = await startKnot({ key: makeKey('mw512', 'hmac-sha512') })
    await walk(knot).finally(knot.stop)
  })
})

const pdns = ['/usr/sbin/pdns_server', '/usr/bin/pdnsutil', '/usr/lib/x86_64-linux-gnu/pdns/liblmdbbackend.so']

describeServers(
  'PowerDNS',
  () => absentOf(pdns),
  () => {
    const apex = 'p.example'
    const key = makeKey()
    let folder: string
    let daemon: Daemon
    let third: ThirdParty
    let dns: Provider<DnsResource>
    beforeAll(async () => {
      folder = mkdtempSync('/tmp/mwp-')
      const port = await freePort()
      const lines = [
        `local-address=127.0.0.1\nlocal-port=${port}\nsocket-dir=${folder}\ndaemon=no\nguardian=no\nloglevel=3`,
        'primary=yes\ndisable-axfr=no\nallow-axfr-ips=\ndnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8',
        `launch=lmdb\nlmdb-filename=${folder}/pdns.lmdb\nlmdb-sync-mode=nosync`,
      ]
      writeFileSync(join(folder, 'pdns.conf'), `${lines.join('\n')}\n`)
      const pdnsutil = (...args: string[]) => {
        const { status, stdout, stderr } = run('/usr/bin/pdnsutil', [`--config-dir=${folder}`, ...args])
        if (status !== 0) throw new Error(`pdnsutil ${args[0]}: ${stdout}${stderr}`)
      }
      pdnsutil('create-zone', apex, 'ns1.operator.example')
      pdnsutil('import-tsig-key', key.name, key.algorithm, key.secret.reveal())
      for (const meta of ['TSIG-ALLOW-DNSUPDATE', 'TSIG-ALLOW-AXFR']) pdnsutil('set-meta', apex, meta, key.name)
      pdnsutil('set-meta', apex, 'SOA-EDIT-DNSUPDATE', 'INCREASE')
      daemon = createDaemon('/usr/sbin/pdns_server', [`--config-dir=${folder}`], folder, () => answersDns(port))
      await daemon.start()
      third = createThirdParty(folder, port, key)
      const server = { server: `127.0.0.1:${port}`, key, zoneMaking: undefined } as never
      dns = openProvider(server, { zones: [apex] })
    })
    afterAll(async () => {
      await dns?.[Symbol.asyncDispose]()
      await daemon?.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    test('takes what we sign, with every prerequisite, and gives it back in a transfer that we verify', async () => {
      const before = resources(await observeAll(dns)).map(({ key }) => key)
      expect(before).toEqual([apex, `${apex}/${apex}/NS`, `${apex}/${apex}/SOA`])
      const some = full
        .filter(
          resource =>
            resource.kind === 'rrset' &&
            resource.zone === 'a.example' &&
            resource.type !== 'SOA' &&
            resource.type !== 'NS',
        )
        .map(resource =>
          rrset(
            apex,
            resource.key.split('/')[1]!.replace(/\.?a\.example$/, '') || '@',
            (resource as never as { type: 'A' }).type,
            (resource as never as { values: string[] }).values,
          ),
        )
      expect(results(await apply(dns, some.map(create)))).toEqual(some.map(() => 'applied'))
      const ours = (await observeAll(dns)).filter(({ mark }) => mark !== null)
      expect(new Set(resources(ours))).toEqual(new Set(some))
      const host = some.find(({ key }) => key.endsWith('/A')) as ReturnType<typeof rrset>
      const next = { ...host, values: ['192.0.2.77'] }
      expect(results(await apply(dns, [update(host, next)]))).toEqual(['applied'])
      third.write(next, { ...next, values: ['192.0.2.78'] })
      expect(results(await apply(dns, [update(next, host)]))).toEqual(['conflict'])
      third.write(next, next)
      expect(
        new Set(
          results(
            await apply(
              dns,
              some.map(one => remove(one === host ? next : one)),
            ),
          ),
        ),
      ).toEqual(new Set(['applied']))
      expect(resources(await observeAll(dns)).map(({ key }) => key)).toEqual(before)
    })

    test('is not asked to make or remove a zone', async () => {
      const outcomes = await apply(dns, [create(zone('new.example')), create(soa('new.example'))])
      expect(new Set(results(outcomes))).toEqual(new Set(['failed']))
      expect((await dns.observe({ domains: [apex] }, never)).length).toBe(3)
    })
  },
)
