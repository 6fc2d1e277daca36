/**
 * Presets (`--preset`): how a paper or a peer migrates, in the words of our own options. What the
 * user says beside it wins. `docs/POLICIES.md` says where each comes from.
 *
 * @module
 */
import type { HashName } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import { BANDWIDTH_DEFAULT } from './bandwidth.ts'
import { ENCODE_DEFAULT } from './encoding.ts'
import { MODE_DEFAULT } from './hybrid.ts'
import { SELECT_DEFAULT } from './select-option.ts'
import { TPO_ENCODE } from './select-tpo.ts'

/** As each option takes it; what is absent is as it is by default. */
export interface PresetSettings {
  readonly mode?: string | undefined
  readonly select?: string | undefined
  readonly stop?: string | undefined
  readonly encode?: string | undefined
  readonly hash?: HashName | undefined
  readonly bandwidth?: string | undefined
  readonly throttle?: string | undefined
}

interface Preset extends PresetSettings {
  /** It comes with what only the user can say: the option as it is to be given. */
  readonly needs?: Readonly<Partial<Record<keyof PresetSettings, string>>>
}

/** Plain pre-copy, which all of BDA's three are. */
const plain = {
  mode: MODE_DEFAULT,
  select: SELECT_DEFAULT,
  stop: 'max-rounds=30,few-dirty=50',
  encode: ENCODE_DEFAULT,
  bandwidth: BANDWIDTH_DEFAULT,
} as const
const downtime = 'downtime=300ms'

/** Those that there are. */
export const PRESET_NAMES = [
  'xen',
  'qemu',
  'hash75',
  'pca',
  'ppc',
  'bda',
  'tpo',
  'hmdc',
  'mdd',
  'mecom',
  'auto',
] as const
export type PresetName = (typeof PRESET_NAMES)[number]

const presets: Readonly<Record<PresetName, Preset>> = {
  xen: {
    ...plain,
    select: 'clark-wws',
    stop: 'max-rounds=30,few-dirty=50,budget=3',
    bandwidth: 'clark',
  },
  qemu: { ...plain, stop: downtime },
  hash75: { ...plain, stop: `${downtime},ratio=0.75`, encode: 'same', hash: 'sha256' },
  pca: plain,
  ppc: { ...plain, select: 'ppc' },
  bda: {
    mode: plain.mode,
    select: 'ppc',
    stop: plain.stop,
    encode: plain.encode,
    needs: { bandwidth: 'bda,link=RATE' },
  },
  tpo: { mode: MODE_DEFAULT, select: 'tpo', encode: TPO_ENCODE },
  hmdc: { mode: MODE_DEFAULT, encode: 'delta,admit=marked' },
  mdd: { mode: MODE_DEFAULT, encode: 'same,mdd' },
  mecom: { mode: MODE_DEFAULT, encode: 'mecom' },
  // All else is decided while it goes on: `auto.ts`.
  auto: { mode: 'hybrid', encode: 'auto' },
}

/** @throws {GodwitError} `USAGE`: with what there is */
export function parsePreset(text: string): PresetName {
  const name = PRESET_NAMES.find((one) => one === text)
  if (name !== undefined) return name
  const known = PRESET_NAMES.join(', ')
  throw new GodwitError('USAGE', `"${text}" is not a preset; there are ${known}`)
}

/**
 * What was asked for, and the rest as the preset has it.
 *
 * @param decided - options that something else decides: those are not needed
 * @throws {GodwitError} `USAGE`: there is no such preset, or it needs something that was not said
 */
export function withPreset<T extends PresetSettings & { readonly preset?: string | undefined }>(
  asked: T,
  decided: Readonly<Record<string, unknown>> = {},
): T {
  if (asked.preset === undefined) return asked
  const name = parsePreset(asked.preset)
  const { needs = {}, ...settings } = presets[name]
  for (const [option, value] of Object.entries(needs)) {
    if (asked[option as keyof PresetSettings] !== undefined) continue
    if (decided[option] !== undefined) continue
    throw new GodwitError('USAGE', `preset ${name}: give --${option} ${value} with it`)
  }
  const given = Object.entries(asked).filter(([, value]) => value !== undefined)
  return { ...settings, ...Object.fromEntries(given) } as T
}
