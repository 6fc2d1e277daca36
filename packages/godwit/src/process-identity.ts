/**
 * Which process it is, for as long as the machine is up and beyond: numbers of processes come
 * again, this does not.
 *
 * @module
 */
import { readFileSync } from 'node:fs'

/** Of the running kernel; empty where there is none to be had. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** When the process began, in ticks since the machine did; undefined where it is not there. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Behind the name, which may hold anything: state is field 3, the start field 22.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** Of this process. */
export function ownIdentity(): string {
  return `${bootId()}/${process.pid}/${startOf(process.pid) ?? ''}`
}

/** Whether the process that said so of itself is still there. */
export function isAlive(identity: string): boolean {
  const [boot, pid = '', start = ''] = identity.split('/')
  if (boot !== bootId()) return false
  if (start !== '') return startOf(Number(pid)) === start
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}
