/** Every benchmark in one run, one after the other: `npm run bench`. Figures are ratios against a reference beside ours. */
import { benchLdap } from './ldap.ts'
import { benchMailHosts } from './mail-hosts.ts'
import { benchPlan } from './plan.ts'
import { benchDiff } from './policy/diff.ts'
import { benchPolicy } from './policy/policy.ts'
import { benchPostfix } from './policy/postfix.ts'
import { benchPowerDns } from './powerdns.ts'
import { benchReconcile } from './reconcile.ts'
import { benchRegister } from './register.ts'
import { benchReplay } from './replay.ts'
import { benchRfc2136 } from './rfc2136.ts'
import { benchSuspend } from './suspend.ts'
import { benchValidate } from './validate.ts'

const validate = await benchValidate()
console.log(`${validate.name}: ${validate.ratio.toFixed(2)} of the YAML library alone   ${validate.detail}`)
await benchPolicy()
await benchPostfix()
await benchDiff()
await benchReconcile()
await benchPlan()
await benchLdap()
await benchMailHosts()
await benchPowerDns()
await benchRfc2136()
await benchReplay()
await benchSuspend()
const register = await benchRegister()
const one = register.appendOneByOne / register.bareOneByOne
const batch = register.appendBatch / register.bareBatch
console.log(
  `register: ${one.toFixed(2)} of bare SQLite one by one, ${batch.toFixed(2)} in batches of 100   ` +
    `append p99 ${register.appendP99Ms.toFixed(1)} ms, verify ${register.verifyPerSecond} entries/s`,
)
