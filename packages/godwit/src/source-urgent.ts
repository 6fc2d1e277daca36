/**
 * The entry of a thread that serves the urgent channel of a source: it answers whatever is asked
 * for, whatever else the process has to do.
 *
 * @module
 */
import type { UrgentCommand, UrgentReport } from '@godwit/source/urgent-thread'
import { serveUrgent } from '@godwit/source/urgent-thread'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { createUrgentLoop } from './urgent-loop.ts'

const loop = await createUrgentLoop<UrgentReport, UrgentCommand>(() => {})

serveUrgent(loop, {
  primitives: await nodePrimitives(),
  clock: loop.clock,
  attach: (detached) => loop.attach(detached),
  warmUp: (begin) => loop.warmUp(begin),
  hearPosted: () => loop.hearPosted(),
  cpuSeconds: threadCpuSeconds,
})
