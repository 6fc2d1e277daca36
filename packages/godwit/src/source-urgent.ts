/**
 * The entry of a thread that serves the urgent channel of a source: it answers whatever is asked
 * for, whatever else the process has to do.
 *
 * @module
 */
import type { UrgentCommand, UrgentReport } from '@godwit/source/urgent-thread'
import { serveUrgent } from '@godwit/source/urgent-thread'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { nodeSealTools } from './seal-tools.ts'
import { createUrgentLoop } from './urgent-loop.ts'

/** Longer than it takes until the next page is asked for, where that is as quick as it can be. */
const awakeMs = 0.2

const loop = await createUrgentLoop<UrgentReport, UrgentCommand>(() => {}, awakeMs)

serveUrgent(loop, {
  primitives: await nodePrimitives(),
  clock: loop.clock,
  attach: (detached) => loop.attach(detached),
  sealTools: nodeSealTools,
  warmUp: (begin) => loop.warmUp(begin),
  hearPosted: () => loop.hearPosted(),
  cpuSeconds: threadCpuSeconds,
})
