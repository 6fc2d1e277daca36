/**
 * What decides about a migration, as a caller says it: by name, by a preset, or by a policy of the
 * caller's own. What is said by name wins over the preset.
 *
 * @module
 */
import type { DirtyTracker, Guest, HashName, Report } from '@godwit/core'
import { GodwitError, checkRate, hasRounds, mayPostCopy, parseDurationMs } from '@godwit/core'
import type { CheckedPolicy, FetchName, Policy, PresetName, StopRule } from '@godwit/policy'
import {
  AUTO_TARGET_MS,
  Auto,
  MODE_DEFAULT,
  STOP_DEFAULT,
  checkFetch,
  checkPolicy,
  checkReverse,
  checkSelect,
  checkThrottle,
  checkTimeout,
  parseBandwidth,
  parseMode,
  parseSending,
  parseStop,
  parseThrottle,
  withPreset,
} from '@godwit/policy'
import type { SourceOptions } from '@godwit/source'
import type { SteeringOptions } from './steering-options.ts'

/** Everything has a default. */
export interface RuleOptions extends SteeringOptions {
  /**
   * `pre-copy` (default), `stop-copy`, `post-copy`, or
   * `hybrid[,rounds=N][,after=T][,stall][,working-set[=T]]`, as `--mode` takes it. In the last two
   * the guest runs at the destination before all of its pages are there; the destination's host
   * must be able to make it wait for them.
   */
  readonly mode?: string
  /** In which order pages follow in post-copy: `bubbles` (default), `prepage`, `push`, `demand`. */
  readonly fetch?: FetchName
  /**
   * Stop rules, as `--stop` takes them: the first that fires; of those joined by `+` all must.
   * Default `downtime=300ms,ratio=0.75+wws=0.9,max-rounds=30,few-dirty=50`.
   */
  readonly stop?: string
  /**
   * Which dirty pages a round sends, as `--select` takes it. Default `all-dirty`; with `encode`
   * `auto`, where stores are seen, `clark-wws,rounds=1`. In the modes with rounds, but for
   * `classes`, which needs a guest that has {@link Guest.classes}.
   */
  readonly select?: string
  readonly hash?: HashName
  /** How pages are encoded, as `--encode` takes it. Default `none`; with select `tpo` `delta`. */
  readonly encode?: string
  /**
   * A paper's or a peer's way of migrating (`--preset`): what it has of the options above, and of
   * `bandwidth` and `throttle`, is in force where they are not given. `auto` decides while it goes
   * on, for a pause of `downtime` in {@link stop}; the report has its `decisions`.
   */
  readonly preset?: PresetName
  /**
   * Policies of one's own. What one decides must not be given by name, too; it wins over what the
   * preset has. One that throws ends the migration by `POLICY_FAILED`: the guest goes on here.
   */
  readonly policy?: Policy
  /**
   * `checkpoint=T`, in the modes with post-copy: the guest's state comes back as often while its
   * pages follow, so that {@link Migration.takeOver} loses less when the destination died. By
   * default nothing does.
   */
  readonly reverse?: string
  /**
   * `T` or `T:ACTION`: what is done when the migration has not handed the guest over within this
   * time, counted from the call of `run`. `cancel` (default): it ends, the guest goes on here.
   * `stop`: the rounds end, in the midst of one, and what is left goes in the pause, however long
   * that is. `post-copy`: it goes on with post-copy after the round (mode `hybrid`).
   */
  readonly timeout?: string
}

type RuleNames =
  | 'mode'
  | 'hybrid'
  | 'stop'
  | 'select'
  | 'encode'
  | 'hash'
  | 'bandwidth'
  | 'throttle'
  | 'chosenBy'

/** As the source takes them. */
export interface Rules extends Pick<SourceOptions, RuleNames> {
  /** Of the preset `auto`: the pause that is aimed at. */
  readonly autoTargetMs?: number
  /** Whether somebody has said when rounds end. */
  readonly hasStop?: boolean
  /** Whether somebody has said which mode. */
  readonly hasMode?: boolean
}

/** @throws {GodwitError} `USAGE` */
export function rulesOf(asked: RuleOptions): Rules {
  const policy = asked.policy === undefined ? undefined : checkPolicy(asked.policy)
  refuseBoth(policy, asked)
  checkCaps(asked)
  const options = withPreset(asked, { bandwidth: policy?.bandwidth })
  const { mode, hybrid } = parseMode(options.mode ?? MODE_DEFAULT)
  checkFetch(mode, options.fetch)
  checkReverse(mode, options.reverse)
  checkTimeout(mode, options.timeout)
  const sending = parseSending(options.select, options.encode)
  const select = policy?.select ?? sending.select
  checkSelect(mode, select)
  const bandwidth = policy?.bandwidth ?? parsed(options.bandwidth, parseBandwidth)
  const throttle = policy?.throttle ?? parsed(options.throttle, parseThrottle)
  checkThrottle(mode, throttle?.setting)
  const stop = policy?.stop ?? parseStop(options.stop ?? STOP_DEFAULT)
  const isAuto = asked.preset === 'auto'
  if (isAuto && !hasRounds(mode)) {
    throw new GodwitError('USAGE', `preset auto: mode ${mode} has no rounds; leave the mode out`)
  }
  return {
    mode,
    // By default `hybrid` has a rule of its own.
    hybrid: isAuto && asked.mode === undefined ? {} : hybrid,
    stop,
    hasStop: options.stop !== undefined || policy?.stop !== undefined,
    hasMode: asked.mode !== undefined,
    ...(isAuto ? autoStop(options.stop, policy?.stop) : {}),
    ...(select === undefined ? {} : { select }),
    encode: sending.encode,
    hash: options.hash ?? 'xxh3',
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(throttle === undefined ? {} : { throttle }),
    ...chosenBy(asked.preset, policy),
  }
}

/** What the preset `auto` makes of stop rules: `downtime` is its aim, the others stay. */
function autoStop(
  asked: string | undefined,
  own: readonly StopRule[] = [],
): Pick<Rules, 'stop' | 'autoTargetMs'> {
  if (asked === undefined) return { stop: own, autoTargetMs: AUTO_TARGET_MS }
  const rules = parseStop(asked)
  const aim = rules.find(({ name }) => name === 'downtime')
  const autoTargetMs = aim === undefined ? AUTO_TARGET_MS : parseDurationMs(aim.text.slice(9))
  return { stop: rules.filter((rule) => rule !== aim), autoTargetMs }
}

/** The rules for one migration of this guest. @param trackers - none where there is a scan */
export function rulesFor(
  { autoTargetMs: targetMs, hasStop = false, hasMode = false, ...rules }: Rules,
  guest: Guest,
  trackers: readonly DirtyTracker[] | undefined,
): Omit<Rules, 'autoTargetMs' | 'hasStop' | 'hasMode'> & Pick<SourceOptions, 'auto'> {
  if (guest.nextRound !== undefined) {
    checkOwnStop(rules.mode, hasStop || targetMs !== undefined, guest)
    return { ...rules, stop: [ownStop] }
  }
  if (targetMs === undefined) return rules
  const seesStores = trackers?.every(({ comparesContent = false }) => !comparesContent) ?? false
  const canPeek = rules.select === undefined && seesStores
  const canThrottle = rules.throttle === undefined && guest.throttle !== undefined
  // Nothing makes another process wait for pages that are still to come.
  const mode = guest.isForeign === true && !hasMode ? MODE_DEFAULT : rules.mode
  const auto = new Auto({ targetMs, canPostCopy: mode === 'hybrid', canThrottle, canPeek })
  return {
    ...rules,
    mode,
    auto,
    ...(canPeek ? { select: auto.select } : {}),
    ...(canThrottle ? { throttle: auto.throttle } : {}),
  }
}

/** Of a guest that stops by itself; see `Guest.nextRound`. */
const ownStop: StopRule = { name: 'guest', text: 'guest', evaluate: () => undefined }

/** @throws {GodwitError} `USAGE`: somebody else is to decide when such a guest stops */
function checkOwnStop(mode: Rules['mode'], hasStop: boolean, guest: Guest): void {
  const { kind } = guest.identity
  if (mayPostCopy(mode)) {
    const text = `mode ${mode}: this ${kind} guest cannot go on before all of its pages are there`
    throw new GodwitError('USAGE', `${text}; there are pre-copy and stop-copy`)
  }
  if (!hasStop) return
  const text = `this ${kind} guest stops by a rule of its own`
  throw new GodwitError('USAGE', `stop: ${text}; leave stop rules, and presets that have some, out`)
}

/**
 * How to try again what a destination refused that cannot do post-copy, where `auto` has chosen
 * that it should.
 *
 * @returns undefined where trying again is of no use
 */
export function withoutPostCopy<T extends RuleOptions>(report: Report, options: T): T | undefined {
  const { preset, mode, fetch, reverse, timeout } = options
  if (preset !== 'auto' || mode !== undefined) return undefined
  if (report.error?.code !== 'PROTOCOL_CAPABILITY' || report.rounds.length > 0) return undefined
  if (fetch !== undefined || reverse !== undefined) return undefined
  return timeout?.endsWith(':post-copy') === true ? undefined : { ...options, mode: MODE_DEFAULT }
}

/** Checks what can be checked without a guest. @throws {GodwitError} `USAGE` */
export function checkRules(asked: RuleOptions): void {
  rulesOf(asked)
}

function parsed<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text)
}

function checkCaps(asked: SteeringOptions): void {
  for (const name of ['maxBandwidth', 'pauseBandwidth', 'postCopyBandwidth'] as const) {
    const cap = asked[name]
    if (cap !== undefined) checkRate(cap, name)
  }
}

function refuseBoth(policy: CheckedPolicy | undefined, asked: RuleOptions): void {
  for (const part of ['select', 'stop', 'bandwidth', 'throttle'] as const) {
    if (policy?.[part] === undefined || asked[part] === undefined) continue
    const text = `${policy.name}: it decides "${part}", which is given as ${asked[part]}, too`
    throw new GodwitError('USAGE', `${text}: leave one of them out`)
  }
}

function chosenBy(
  preset: PresetName | undefined,
  policy: CheckedPolicy | undefined,
): Pick<SourceOptions, 'chosenBy'> {
  if (preset === undefined && policy === undefined) return {}
  return {
    chosenBy: {
      ...(preset === undefined ? {} : { preset }),
      ...(policy === undefined ? {} : { policy: policy.name }),
    },
  }
}
