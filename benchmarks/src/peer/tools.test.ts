import { expect, it } from 'vitest'
import { missingPackages, newestKernel } from './tools.ts'

it('names each package once, and that of the kernel', () => {
  expect(missingPackages(() => false, undefined)).toEqual([
    'qemu-system-x86',
    'gcc',
    'libc6-dev',
    'iproute2',
    'linux-image-cloud-amd64',
  ])
})

it('names what one missing program needs', () => {
  const kernel = 'vmlinuz-6.1.0-9-cloud-amd64'
  expect(missingPackages((program) => program !== 'tc', kernel)).toEqual(['iproute2'])
  expect(missingPackages(() => true, kernel)).toEqual([])
})

it('takes the newest kernel by number, of those for virtual machines', () => {
  const old = 'vmlinuz-6.1.0-9-cloud-amd64'
  const young = 'vmlinuz-6.1.0-56-cloud-amd64'
  const other = 'vmlinuz-6.12.0-1-amd64'
  expect(newestKernel(['config-6.1.0', young, other, old])).toBe(young)
  expect(newestKernel([other])).toBeUndefined()
})
