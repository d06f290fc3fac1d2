/** One pass over a folder, to be killed at the failpoint that the environment names: `child.ts FOLDER reconcile|SCOPE`. */
import { afterPass } from '../../agent/control/after-pass.ts'
import { createEvidenceKeeper } from '../../agent/control/evidence-keeper.ts'
import { runOperation } from '../../agent/control/operations.ts'
import { silentLog } from '../../agent/core/log.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { createCourier } from '../../agent/notify/courier.ts'
import { deliverNotices, makeNotices } from '../../agent/notify/follow.ts'
import { createProber } from '../../agent/prober.ts'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { openSpool } from '../../providers/spool/spool.ts'
import { openEngine } from '../support/engine.ts'

const [folder = '', act = 'reconcile'] = process.argv.slice(2)
const signal = new AbortController().signal
await using open = await openEngine(folder)
const notifier = openSpool({ folder: open.config.providers.notify.folder })
const { engine } = open
const courier = createCourier(
  () =>
    deliverNotices(makeNotices(engine.history.incidents, engine.world()), {
      notifier,
      append: entries => engine.append(entries),
      clock: systemClock,
      log: silentLog,
    }),
  systemClock,
)
const token = { person: 'ana', digest: '', expiresAt: 0, madeAt: 0, madeBy: 'berta' }
const context = {
  engine: open.engine,
  credentials: open.credentials,
  courier,
  hosts: [],
  evidence: createEvidenceKeeper({ engine: open.engine, hosts: [], signal }),
  prober: createProber(open.config.verify, systemClock),
  verifyLater: () => {},
  caller: { actor: { person: 'ana', role: 'responder' }, token, refused: false, language: 'en' as const },
  progress: () => {},
  signal,
  daemon: null,
  live: null,
  configurationChanged: async () => false,
  findings: () => [],
  troubles: () => [],
  witness: () => open.register.witness(),
  acceptHead: () => Promise.reject(new Error('not here')),
  retry: () => {},
  stop: () => {},
  random: (bytes: number) => new Uint8Array(bytes).fill(7),
}
if (act !== 'reconcile') {
  const result = await runOperation('suspend', { scope: act, reason: 'spam', class: 'spam' }, context)
  if (result.exit !== 0) throw new Error(JSON.stringify(result))
} else {
  await open.engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
  await afterPass(context, signal)
}
