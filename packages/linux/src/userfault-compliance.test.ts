import { allocateRegion } from '@godwit/memory'
import { pagerCompliance } from '@godwit/testkit/pager-compliance'
import { loadSystemCalls } from './system-calls.ts'
import { UserfaultPager } from './userfault-pager.ts'
import { probeUserfault } from './userfault-probe.ts'

const probe = await probeUserfault()

pagerCompliance(
  'uffd',
  async ({ pageBytes, byteLengths }) => {
    const regions = byteLengths.map((byteLength, id) => {
      return allocateRegion({ id, name: `r${id}`, byteLength })
    })
    const endProcess = (): never => {
      throw new Error('pages are missing')
    }
    const calls = await loadSystemCalls()
    const pager = new UserfaultPager({ calls, regions, pageBytes, endProcess })
    return { pager, memory: regions.map(({ bytes }) => bytes), turn: () => pager.drain() }
  },
  { impossible: probe.ok ? undefined : probe.reason },
)
