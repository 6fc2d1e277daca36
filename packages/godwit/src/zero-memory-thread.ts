/**
 * The entry of a thread that makes memory zero and resident. It imports next to nothing: the source
 * waits for it.
 *
 * @module
 */
import { parentThread } from './parent-thread.ts'
import type { ZeroJob } from './zero-job.ts'
import { zeroChunks } from './zero-job.ts'

const parent = parentThread<'done', ZeroJob>()

parent.listen((job) => {
  const chunks = zeroChunks(job)
  while (chunks.next().done !== true);
  parent.post('done')
})
