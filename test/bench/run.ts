/** Every benchmark in one run, one after the other: `npm run bench`. Figures are ratios against a reference beside ours. */
import { benchPolicy } from './policy.ts'
import { benchReconcile } from './reconcile.ts'
import { benchRegister } from './register.ts'
import { benchValidate } from './validate.ts'

for (const bench of [benchValidate, benchPolicy, benchReconcile, benchRegister]) await bench()
