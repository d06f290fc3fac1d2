/** The parts of evidence by themselves: which lines concern a scope, what is taken out, git's head, the fold of bundles and holds. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { readCommit } from '../../agent/evidence/commit.ts'
import { lineTest, sliceLog } from '../../agent/evidence/mail-log.ts'
import { redact } from '../../agent/evidence/redact.ts'
import { isMemberName, readTar, writeTar } from '../../agent/evidence/tar.ts'
import { parseHoldScope } from '../../agent/standards/hold-scope.ts'

const root = mkdtempSync(join(tmpdir(), 'mw-ev-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const names = (scope: string, aliases: string[] = []) => lineTest({ scope: parseHoldScope(scope), aliases })

test.each([
  ['from=<a@hcg.example>', true],
  ['user=A@HCG.example, method', true],
  ['Domain hcg.example not found', true],
  ['to=<a@hcg.example.org>', false],
  ['to=<a@sub.hcg.example>', false],
  ['to=<a@evil-hcg.example>', false],
  ['to=<a@hcgXexample>', false],
])('of a domain: %s', (line, concerns) => expect(names('hcg.example')(line)).toBe(concerns))

test.each([
  ['from=<ana@hcg.example>', true],
  ['from=<ana+x@hcg.example>', true],
  ['sasl_username=ANA@hcg.example', true],
  ['to=<ana.ruiz@hcg.example>', true],
  ['to=<juana@hcg.example>', false],
  ['to=<x-ana@hcg.example>', false],
  ['to=<ana@hcg.example.org>', false],
  ['to=<berta@hcg.example>', false],
])('of an account: %s', (line, concerns) =>
  expect(names('ana@hcg.example', ['ana.ruiz@hcg.example'])(line)).toBe(concerns),
)

test('what is no secret stays, and of a secret nothing does', () => {
  for (const line of [
    'status=sent (250 2.0.0 Ok)',
    'Password mismatch',
    'sasl_method=PLAIN, sasl_username=a@b.example',
  ])
    expect(redact(line)).toBe(line)
  for (const line of [
    'pass=S3CRET word',
    'password: S3CRET',
    '{SSHA}S3CRETxx',
    'x $6$salt$S3CRET',
    'AUTH PLAIN S3CRET',
  ])
    expect(redact(line)).not.toContain('S3CRET')
})

test('the commit is what git says it is: a branch, packed, detached, a linked work tree; and none elsewhere', async () => {
  const repository = join(root, 'repo')
  mkdirSync(join(repository, 'manifests'), { recursive: true })
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=x', '-c', 'user.email=x@y.example', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim()
  git('init', '-q')
  expect(await readCommit(join(repository, 'manifests'))).toBeUndefined()
  git('commit', '-q', '--allow-empty', '-m', 'one')
  const head = git('rev-parse', 'HEAD')
  const ref = git('symbolic-ref', 'HEAD')
  expect(await readCommit(join(repository, 'manifests'))).toEqual({ commit: head, ref })
  git('pack-refs', '--all')
  expect(await readCommit(repository)).toEqual({ commit: head, ref })
  git('worktree', 'add', '-q', '-b', 'other', join(root, 'linked'))
  expect(await readCommit(join(root, 'linked'))).toEqual({ commit: head, ref: 'refs/heads/other' })
  git('checkout', '-q', '--detach')
  expect(await readCommit(repository)).toEqual({ commit: head, ref: null })
  expect(await readCommit(root)).toBeUndefined()
})

test('a log that is no file, or a rotation that is cut, is an error and never a quiet night', async () => {
  const options = {
    scope: parseHoldScope('hcg.example'),
    aliases: [],
    since: 0,
    timeZone: 'UTC',
    signal: new AbortController().signal,
  }
  execFileSync('mkfifo', [join(root, 'pipe.log')])
  await expect(sliceLog(join(root, 'pipe.log'), options)).rejects.toMatchObject({ code: 'ENOTSUP' })
  await expect(sliceLog(join(root, 'none.log'), options)).rejects.toMatchObject({ code: 'ENOENT' })
  writeFileSync(join(root, 'm.log'), '2026-03-01T00:00:00Z mx postfix/qmgr[1]: 4F3A1C0D9E: from=<a@hcg.example>\n')
  expect(await sliceLog(join(root, 'm.log'), options)).toMatchObject({ lines: 1, cut: 0, files: ['m.log'] })
  const whole = gzipSync('2026-02-01T00:00:00Z mx postfix/qmgr[1]: 5F3A1C0D9E: from=<a@hcg.example>\n')
  writeFileSync(join(root, 'm.log.1.gz'), whole.subarray(0, -12))
  await expect(sliceLog(join(root, 'm.log'), options)).rejects.toMatchObject({ code: 'Z_BUF_ERROR' })
})

test('tar as others read it, and no name that leaves its folder', () => {
  const archive = writeTar(
    [
      { name: 'a/b.txt', bytes: Buffer.from('hola\n') },
      { name: 'c', bytes: Buffer.alloc(0) },
    ],
    1_700_000_000,
  )
  expect(execFileSync('tar', ['-xOf', '-', 'a/b.txt'], { input: archive }).toString()).toBe('hola\n')
  expect(readTar(archive)).toMatchObject({
    seconds: 1_700_000_000,
    findings: [],
    members: [{ name: 'a/b.txt' }, { name: 'c' }],
  })
  for (const name of ['../x', '/x', 'a/../b', 'a//b', '', '.x', 'a\0b', 'ñ']) expect(isMemberName(name)).toBe(false)
})
