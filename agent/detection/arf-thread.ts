/** The thread that reads one abuse report and ends: whatever a stranger wrote costs it its time and its memory, and nobody else's. */
import { parentPort, workerData } from 'node:worker_threads'
import { parseArf } from '../standards/arf.ts'

parentPort?.postMessage(parseArf(workerData as Uint8Array))
