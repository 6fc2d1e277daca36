/**
 * Which compressor a lane uses, and how it decides.
 *
 * @module
 */
import type { Compressors } from '@godwit/codec'
import type { CompressionPolicy, EncodeSettings } from '@godwit/policy'
import { BreakEvenCompression, BudgetedCompression, FixedCompression } from '@godwit/policy'
import { BatchCompression } from '@godwit/wire'
import type { Compression } from './outgoing.ts'

/** What goes with the settings; undefined for none. */
export function compressionOf(
  settings: EncodeSettings,
  compressors: Compressors,
): Compression | undefined {
  if (settings.compression === 'none') return undefined
  const compressor = compressors[settings.compression]
  if (compressor === undefined) return undefined
  const code = settings.compression === 'zstd' ? BatchCompression.Zstd : BatchCompression.Lz4
  return { compressor, code, policy: policyOf(settings, compressor.parallel) }
}

function policyOf(settings: EncodeSettings, parallel: number): CompressionPolicy {
  const { auto, classes, level, cpuShareMax } = settings
  if (auto) return new BreakEvenCompression(parallel)
  return classes ? new BudgetedCompression(level, cpuShareMax) : new FixedCompression(level)
}
