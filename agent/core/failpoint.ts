/**
 * Named steps at which a test can cut the power: `MAILWARDEN_FAILPOINT=apply.afterIntent:2` kills the process (SIGKILL) the
 * second time it gets there, `levers.afterRecorded:1:SIGSTOP` stops it until somebody continues it. Several are parted by
 * commas. Without the variable a hit costs one comparison.
 */
const armed = process.env['MAILWARDEN_FAILPOINT']?.split(',').map(text => {
  const [name, count = '1', signal = 'SIGKILL'] = text.split(':')
  return { name, count: Number(count), signal: signal === 'SIGSTOP' ? 'SIGSTOP' : 'SIGKILL' } as const
})
const passed = new Map<string, number>()

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
  'act.beforeRecorded',
  'act.afterRecorded',
  'act.beforeAnswered',
  'doors.beforeMoved',
  'doors.afterMoved',
  'levers.beforeLooked',
  'levers.beforeRecorded',
  'levers.afterRecorded',
  'stage.beforeOpened',
  'stage.afterOpened',
  'rotate.afterPassword',
  'notify.afterSpool',
  'evidence.beforeEntry',
] as const
export type Failpoint = (typeof failpoints)[number]

export function hit(name: Failpoint): void {
  if (armed === undefined) return
  const times = (passed.get(name) ?? 0) + 1
  passed.set(name, times)
  for (const point of armed) if (point.name === name && point.count === times) process.kill(process.pid, point.signal)
}
