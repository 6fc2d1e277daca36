import { constants } from 'node:os'
import { readdirSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { probePagemap, probeWith } from './probe.ts'
import {
  loadSystemCalls,
  PAGEMAP_SCAN,
  refused,
  type SystemCalls,
  UFFDIO_API,
  UFFDIO_REGISTER,
  UFFDIO_WRITEPROTECT,
} from './system-calls.ts'

const { errno } = constants

async function reasonOf(load: () => Promise<SystemCalls>): Promise<string> {
  const probe = await probeWith(load)
  return probe.ok ? 'ok' : probe.reason
}

describe('the probe tells', () => {
  test('always the same, once it ran', async () => {
    expect(probePagemap()).toBe(probePagemap())
    expect(await reasonOf(loadSystemCalls)).toMatch(/^[^\n]+$/)
  })

  test('nothing of wrong pages: a fault of this package, which would skip its tests', async () => {
    expect(await reasonOf(loadSystemCalls)).not.toMatch(/reports pages|USAGE|no progress/)
  })

  test.each(['darwin', 'win32'])('that %s is not Linux', async (platform) => {
    const reason = await reasonOf(() => loadSystemCalls({ platform }))
    expect(reason).toBe(`${platform} is not Linux`)
  })

  test('that it does not know the machine', async () => {
    const reason = await reasonOf(() =>
      loadSystemCalls({ platform: 'linux', architecture: 's390x' }),
    )
    expect(reason).toBe('the system calls of s390x are not known')
  })

  test.each([
    ['ERR_MODULE_NOT_FOUND', 'Cannot find package', 'the optional package koffi is not installed'],
    ['ERR_DLOPEN_FAILED', 'no\nbinary', 'the optional package koffi does not load: no'],
  ])('that koffi is not there: %s', async (code, message, reason) => {
    const importKoffi = () => Promise.reject(Object.assign(new Error(message), { code }))
    const options = { platform: 'linux', architecture: 'x64', importKoffi }
    expect(await reasonOf(() => loadSystemCalls(options))).toBe(reason)
  })
})

const real = await probePagemap()
const why = real.ok ? '' : ` (${real.reason})`

describe(`the probe tells, and leaves nothing open${why}`, () => {
  beforeEach(({ skip }) => {
    if (!real.ok) skip(real.reason)
  })

  /** The real system calls, but for one request. */
  async function refusing(request: number, number: number): Promise<SystemCalls> {
    const calls = await loadSystemCalls()
    const ioctl: SystemCalls['ioctl'] = (what, descriptor, code, argument) => {
      if (code === request) throw refused(what, number)
      return calls.ioctl(what, descriptor, code, argument)
    }
    return { ...calls, ioctl }
  }

  const openFiles = (): number => readdirSync('/proc/self/fd').length

  test('that the system call is refused', async () => {
    const calls = await loadSystemCalls()
    const openUserfault = (): number => {
      throw refused('userfaultfd', errno.EPERM)
    }
    const reason = await reasonOf(async () => ({ ...calls, openUserfault }))
    expect(reason).toBe('userfaultfd: operation not permitted (EPERM)')
  })

  test.each([
    [UFFDIO_API, errno.EINVAL, 'userfaultfd WP_ASYNC (Linux 6.7): invalid argument (EINVAL)'],
    [UFFDIO_REGISTER, errno.EINVAL, 'UFFDIO_REGISTER: invalid argument (EINVAL)'],
    [UFFDIO_WRITEPROTECT, errno.ENOENT, /^UFFDIO_WRITEPROTECT: .* \(ENOENT\)$/],
    [PAGEMAP_SCAN, errno.ENOTTY, /^PAGEMAP_SCAN: inappropriate ioctl .* \(ENOTTY\)$/],
  ])('that request %i is refused', async (request, number, reason) => {
    const before = openFiles()
    expect(await reasonOf(() => refusing(request, number))).toMatch(reason)
    expect(openFiles()).toBe(before)
  })

  test('that the kernel sees nothing', async () => {
    const calls = await loadSystemCalls()
    const ioctl: SystemCalls['ioctl'] = (what, descriptor, code, argument) => {
      const result = calls.ioctl(what, descriptor, code, argument)
      return code === PAGEMAP_SCAN ? 0 : result
    }
    const reason = await reasonOf(async () => ({ ...calls, ioctl }))
    expect(reason).toBe('the kernel reports pages "" as stored to, where "3" were')
  })

  test('that the kernel takes untouched pages for dirty', async () => {
    const calls = await loadSystemCalls()
    const ioctl: SystemCalls['ioctl'] = (what, descriptor, code, argument) =>
      code === UFFDIO_WRITEPROTECT ? 0 : calls.ioctl(what, descriptor, code, argument)
    const reason = await reasonOf(async () => ({ ...calls, ioctl }))
    expect(reason).toBe('the kernel reports pages "0 1 2 3 4 5 6 7" as stored to, where "" were')
  })
})
