import { trackerCompliance } from '@godwit/testkit/tracker-compliance'
import { PagemapTracker } from './pagemap-tracker.ts'
import { probePagemap } from './probe.ts'
import { loadSystemCalls } from './system-calls.ts'
import { WriteWatch } from './write-watch.ts'

const probe = await probePagemap()

trackerCompliance(
  'pagemap',
  async ({ bytes, pageBytes }) => {
    const watch = new WriteWatch(await loadSystemCalls())
    const region = { id: 0, name: 'ram', bytes }
    const tracker = new PagemapTracker({ region, pageBytes, watch })
    return {
      tracker,
      close: () => {
        tracker.close()
        watch.close()
      },
    }
  },
  { impossible: probe.ok ? undefined : probe.reason },
)
