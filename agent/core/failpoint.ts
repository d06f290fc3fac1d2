/**
 * Named steps at which a test can cut the power: `MAILWARDEN_FAILPOINT=apply.afterIntent:2` kills the process
 * (SIGKILL) the second time it gets there. Without the variable a hit costs one comparison.
 */
const wanted = process.env['MAILWARDEN_FAILPOINT']
const [wantedName, wantedCount] =
  wanted === undefined ? [] : [wanted.split(':')[0], Number(wanted.split(':')[1] ?? '1')]
let seen = 0

/** Every failpoint there is; the crash suite walks this list, so a new one is covered by itself. */
export const failpoints = [
  'run.afterManifestsAccepted',
  'run.afterKeysWritten',
  'run.afterKeysRecorded',
  'apply.beforeIntent',
  'apply.afterIntent',
  'apply.beforeBatch',
  'apply.afterChange',
  'apply.afterBatch',
  'apply.afterOutcome',
  'directory.insideTransaction',
  'directory.afterCommit',
  'dns.insideTransaction',
  'dns.afterCommit',
  'suspend.beforeDeclared',
  'suspend.afterDeclared',
  'notify.afterSpool',
  'evidence.beforeEntry',
] as const
export type Failpoint = (typeof failpoints)[number]

export function hit(name: Failpoint): void {
  if (wantedName === undefined || name !== wantedName) return
  seen += 1
  if (seen === wantedCount) process.kill(process.pid, 'SIGKILL')
}
