/**
 * Processor time of a process and its threads, from `/proc`.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'

/** The kernel's unit of such times, on every architecture that Node runs on. */
const ticksPerSecond = 100

/** The line of a `stat` file: its name and seconds in user and kernel mode together. */
export function parseStat(text: string): { readonly name: string; readonly seconds: number } {
  // The name may have spaces and parentheses of its own.
  const end = text.lastIndexOf(')')
  const name = text.slice(text.indexOf('(') + 1, end)
  const fields = text.slice(end + 2).split(' ')
  return { name, seconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond }
}

/** Seconds of a whole process without those of its threads whose names match. */
export function cpuSecondsWithout(threads: RegExp, pid: number): number {
  const read = (path: string): ReturnType<typeof parseStat> =>
    parseStat(readFileSync(`/proc/${pid}/${path}`, 'utf8'))
  const others = readdirSync(`/proc/${pid}/task`)
    .map((task) => read(`task/${task}/stat`))
    .filter(({ name }) => threads.test(name))
  return others.reduce((left, { seconds }) => left - seconds, read('stat').seconds)
}
