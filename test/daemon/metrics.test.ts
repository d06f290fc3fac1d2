/** `metrics`: what a monitor reads, as the text format of Prometheus wants it, and no name of an account in it. */
import { expect, test } from 'vitest'
import { askPolicy, createEstate, institutionText } from '../support/estate.ts'

const form =
  /^(?:# (?:HELP|TYPE) mailwarden_[a-z_]+ .+|mailwarden_[a-z_]+(?:\{[a-z]+="[A-Za-z-]+"(?:,[a-z]+="[A-Za-z-]+")*\})? -?\d+(?:\.\d+)?)$/

test('counts decisions, states and what is kept; each line in the format, nobody named', async () => {
  await using estate = await createEstate({
    'hospital.yaml': institutionText('hospital', {
      domain: 'hcg.sld.cu',
      accounts: ['{ name: jperez, send: national }'],
    }),
  })
  const without = await estate.cli(['metrics'])
  expect(without.out).toContain('mailwarden_daemon_up 0')
  expect(without.out).not.toContain('mailwarden_policy_')
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const login = 'jperez@hcg.sld.cu'
  const ask = (recipient: string) => askPolicy(estate.policyPort, { sasl_username: login, sender: login, recipient })
  await ask('x@minsap.cu')
  await ask('x@who.int')
  await ask('y@who.int')
  expect((await estate.cli(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])).exit).toBe(0)
  const { exit, out } = await estate.cli(['metrics'])
  expect(exit).toBe(0)
  for (const line of out.trimEnd().split('\n')) expect(line).toMatch(form)
  expect(out.match(/^# TYPE (\S+)/gm)?.length).toBe(new Set(out.match(/^# TYPE (\S+)/gm)).size)
  for (const line of [
    'mailwarden_daemon_up 1',
    'mailwarden_policy_decisions_total{effect="dunno"} 1',
    'mailwarden_policy_decisions_total{effect="reject"} 2',
    'mailwarden_domains{state="suspended"} 1',
    'mailwarden_holds 1',
    'mailwarden_register_trusted 1',
  ])
    expect(out.split('\n')).toContain(line)
  expect(out).not.toMatch(/jperez|hcg/)
  const { json } = await estate.json(['metrics'])
  expect(Object.keys(json)).toEqual(['version', 'metrics'])
})
