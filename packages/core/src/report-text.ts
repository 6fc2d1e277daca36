/**
 * What a report says, in a few words.
 *
 * @module
 */
import type { Report, StopReport } from './report.ts'
import { formatBytes, formatCount, formatDurationMs } from './units.ts'

/**
 * Where the guest is now: `moved; it runs there`.
 *
 * @param here - the side that reports
 */
export function outcomeText(
  { outcome, error, role }: Pick<Report, 'outcome' | 'error' | 'role'>,
  here = 'here',
): string {
  if (outcome === 'completed') return role === 'source' ? 'moved; it runs there' : 'arrived'
  if (error?.code === 'OWNERSHIP_IN_DOUBT') return `in doubt; stopped ${here}`
  if (error?.code === 'POST_COPY_LOST') return 'lost halfway; the guest cannot go on'
  if (error?.code === 'LOST_WITH_HOST') return `lost with its host; stopped ${here}`
  if (error?.code === 'TAKEN_OVER') return `taken over; the guest goes on ${here}`
  const where = role === 'source' ? `the guest goes on ${here}` : 'nothing was kept'
  return `${outcome}; ${where}`
}

/** The numbers of what stopped pre-copy, in words; of each rule where several did together. */
export function stopText(stop: StopReport): string {
  const rules = stop.rule.split('+')
  return rules.map((rule) => ruleText(rule, stop)).join('; ')
}

function ruleText(rule: string, stop: StopReport): string {
  const number = (key: string): number => Number(stop[key])
  const duration = (key: string): string => formatDurationMs(number(key))
  const dirty = `${formatCount(number('dirtyPages'))} pages dirty`
  switch (rule) {
    case 'downtime':
      return `${duration('expectedMs')} expected, ${duration('limitMs')} allowed, ${dirty}`
    case 'rounds':
      return `post-copy after ${formatCount(number('round'))} rounds`
    case 'after':
      return `post-copy after ${duration('elapsedMs')}`
    case 'stall':
      return `post-copy, ${dirty} after ${formatCount(number('lastDirtyPages'))}`
    case 'asked':
      return 'post-copy, as it was asked for'
    case 'timeout':
      return `after ${duration('elapsedMs')}, ${duration('limitMs')} allowed`
    case 'ratio': {
      const first = formatBytes(number('firstRoundBytes'))
      return `${formatBytes(number('laterRoundsBytes'))} sent again, ${first} in round 1`
    }
    case 'wws':
      return `${dirty}, ${formatCount(number('lastDirtyPages'))} a round before`
    case 'budget':
      return `${formatBytes(number('totalBytes'))} sent of ${formatBytes(number('memoryBytes'))}`
    case 'held':
      return `all that is left is held: ${formatCount(number('heldPages'))} pages`
    case 'max-rounds':
      return `${number('limit')} rounds are over, ${dirty}`
    default:
      return `${dirty}, the limit is ${formatCount(number('limit'))}`
  }
}
