/**
 * What a report says of the guest, in a few words.
 *
 * @module
 */
import type { Report } from './report.ts'

/** Where the guest is now: `moved; it runs there`. "Here" is the side that reports. */
export function outcomeText({
  outcome,
  error,
  role,
}: Pick<Report, 'outcome' | 'error' | 'role'>): string {
  if (outcome === 'completed') return role === 'source' ? 'moved; it runs there' : 'arrived'
  if (error?.code === 'OWNERSHIP_IN_DOUBT') return 'in doubt; stopped here'
  if (error?.code === 'POST_COPY_LOST') return 'lost halfway; the guest cannot go on'
  if (error?.code === 'LOST_WITH_HOST') return 'lost with its host; stopped here'
  if (error?.code === 'TAKEN_OVER') return 'taken over; the guest goes on here'
  const where = role === 'source' ? 'the guest goes on here' : 'nothing was kept'
  return `${outcome}; ${where}`
}
