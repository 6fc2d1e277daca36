/**
 * The part of the report that tells how pages were encoded, and why so.
 *
 * @module
 */
import type { EncodingReport } from '@godwit/core'
import type { EncodeSettings } from '@godwit/policy'
import { looksAtPages } from '@godwit/policy'
import type { EncodingState } from './encoding-state.ts'
import type { RoundLog } from './round-log.ts'

/** Undefined where pages are not looked at one by one. */
export function encodingReport(
  settings: EncodeSettings,
  state: EncodingState | undefined,
  log: RoundLog,
): EncodingReport | undefined {
  if (state === undefined || !looksAtPages(settings)) return undefined
  const { hits, misses, refused, evicted, cacheBytes, storeBytes, compression } = state
  const report: EncodingReport = {
    asked: settings.text,
    heldPages: log.heldPages,
    repairedPages: state.repairedPages,
  }
  if (settings.cacheBytes > 0) {
    const hitRate = hits + misses === 0 ? 0 : hits / (hits + misses)
    const { similarPages, deltaOverflows: overflows } = log
    const counts = { hits, misses, hitRate, overflows, similarPages, refused, evicted }
    report.cache = { limitBytes: settings.cacheBytes, usedBytes: cacheBytes, ...counts }
  }
  if (settings.same) report.store = { limitBytes: settings.storeBytes, usedBytes: storeBytes }
  if (settings.compression === 'none') return report
  report.compression = {
    algorithm: settings.compression,
    batchesByLevel: { ...state.levels },
    randomBatches: state.randomBatches,
    plainBatches: log.plainBatches,
    ...(compression === undefined ? {} : { measured: compression, reason: reasonOf(state) }),
  }
  return report
}

/** In a sentence: which level was used most, and the two speeds that decided it. */
function reasonOf({ levels, compression }: EncodingState): string {
  const { linkBytesPerSecond, plainBytesPerSecond, plainSize } = compression!
  const [level = '0'] = Object.entries(levels).toSorted((a, b) => b[1] - a[1])[0] ?? []
  const link = megabytes(linkBytesPerSecond)
  const encode = megabytes(plainBytesPerSecond)
  const percent = Math.round(plainSize * 100)
  const facts = `the link takes ${link}, level 1 makes ${percent} % of ${encode}`
  if (linkBytesPerSecond === 0) return 'over before the speed of the link was known'
  return level === '0' ? `nothing compressed: ${facts}` : `mostly level ${level}: ${facts}`
}

function megabytes(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e6).toFixed(0)} MB/s`
}
