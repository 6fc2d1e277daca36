/**
 * A user's own policy (`--policy`, in the library `policy`): what decides, as objects. Here their
 * shape is checked, and whatever they do later: code of others must not take a guest with it.
 *
 * @module
 */
import { GodwitError, PAGE_CLASSES } from '@godwit/core'
import type { BandwidthPolicy } from './bandwidth.ts'
import type { PageSelector } from './page-selector.ts'
import type { SelectSettings } from './select-option.ts'
import type { StopDecision, StopRule } from './stop-condition.ts'
import { roundCap } from './stop-condition.ts'
import type { ThrottlePolicy } from './throttle.ts'
import { THROTTLE_SHARE_MAX } from './throttle.ts'

/** All of it is optional; what is absent is as without a policy. */
export interface Policy {
  /** As reports and errors call it. Default `policy`. */
  readonly name?: string
  /** Makes a page selector for each migration. */
  readonly select?: SelectSettings
  /** The first that fires ends the rounds; 30 rounds do in any case. */
  readonly stop?: StopRule | readonly StopRule[]
  readonly bandwidth?: BandwidthPolicy
  readonly throttle?: ThrottlePolicy
}

/** A policy that was checked: what it throws has a code, and what it decides makes sense. */
export interface CheckedPolicy {
  readonly name: string
  readonly select?: SelectSettings
  readonly stop?: readonly StopRule[]
  readonly bandwidth?: BandwidthPolicy
  readonly throttle?: ThrottlePolicy
}

type Fields = Readonly<Record<string, unknown>>
type FieldType = 'string' | 'boolean' | 'number' | 'function'

/** Once is enough. */
const checked = new WeakSet<object>()
const parts = ['name', 'select', 'stop', 'bandwidth', 'throttle'] as const

/**
 * Checks what somebody says is a policy. Afterwards its functions throw `POLICY_FAILED` alone, with
 * its name, when they throw or decide something that is none.
 *
 * @param name - where it has none of its own
 * @throws {GodwitError} `USAGE`: with the first thing that is wrong
 */
export function checkPolicy(value: unknown, name = 'policy'): CheckedPolicy {
  if (isChecked(value)) return value
  const called = isFields(value) && typeof value['name'] === 'string' ? value['name'] : name
  const fields = fieldsOf(called, value, 'an object')
  for (const key of Object.keys(fields)) {
    if ((parts as readonly string[]).includes(key)) continue
    refuse(called, `"${key}" is no part of a policy; there are ${parts.join(', ')}`)
  }
  check(called, fields, 'name', 'string', true)
  const { select, stop, bandwidth, throttle } = fields
  const policy = {
    name: called,
    ...(select === undefined ? {} : { select: guardSelect(called, select) }),
    ...(stop === undefined ? {} : { stop: guardStop(called, stop) }),
    ...(bandwidth === undefined ? {} : { bandwidth: guardBandwidth(called, bandwidth) }),
    ...(throttle === undefined ? {} : { throttle: guardThrottle(called, throttle) }),
  }
  checked.add(policy)
  return policy
}

function isChecked(value: unknown): value is CheckedPolicy {
  return isFields(value) && checked.has(value)
}

function guardStop(name: string, value: unknown): readonly StopRule[] {
  const rules: readonly unknown[] = Array.isArray(value) ? value : [value]
  const guarded = rules.map((rule, index): StopRule => {
    const at = Array.isArray(value) ? `stop[${index}]` : 'stop'
    const fields = fieldsOf(name, rule, 'a stop rule', at)
    checkAll(name, fields, { name: 'string', text: 'string', evaluate: 'function' }, at)
    check(name, fields, 'meansShortPause', 'boolean', true, at)
    const inner = fields as unknown as StopRule
    const what = `stop rule ${inner.name}`
    const { meansShortPause = false } = inner
    return {
      name: inner.name,
      text: inner.text,
      meansShortPause,
      evaluate: (statistics) =>
        guard(
          name,
          what,
          // Others go by these numbers, too: the cap on rounds among them.
          () => inner.evaluate(Object.freeze({ ...statistics })),
          isDecision,
          'a rule and its numbers',
        ),
    }
  })
  return [...guarded, roundCap]
}

function isDecision(value: unknown): value is StopDecision | undefined {
  if (value === undefined) return true
  if (!isFields(value) || typeof value['rule'] !== 'string') return false
  const { numbers } = value
  return isFields(numbers) && Object.values(numbers).every((number) => Number.isFinite(number))
}

function guardBandwidth(name: string, value: unknown): BandwidthPolicy {
  const fields = fieldsOf(name, value, 'a bandwidth policy', 'bandwidth')
  const shape = { name: 'string', setting: 'string', measuresLink: 'boolean', grant: 'function' }
  checkAll(name, fields, shape as Readonly<Record<string, FieldType>>, 'bandwidth')
  const inner = fields as unknown as BandwidthPolicy
  const isRate = (rate: unknown): rate is number => typeof rate === 'number' && rate > 0
  return {
    name: inner.name,
    setting: inner.setting,
    measuresLink: inner.measuresLink,
    grant: (statistics) =>
      guard(name, 'bandwidth', () => inner.grant(statistics), isRate, 'a rate above 0'),
  }
}

function guardThrottle(name: string, value: unknown): ThrottlePolicy {
  const fields = fieldsOf(name, value, 'a throttle', 'throttle')
  checkAll(name, fields, { name: 'string', setting: 'string', next: 'function' }, 'throttle')
  const inner = fields as unknown as ThrottlePolicy
  const isShare = (share: unknown): share is number =>
    typeof share === 'number' && share >= 0 && share <= THROTTLE_SHARE_MAX
  const shares = `a share from 0 to ${THROTTLE_SHARE_MAX}`
  return {
    name: inner.name,
    setting: inner.setting,
    next: (share, statistics) =>
      guard(name, 'throttle', () => inner.next(share, statistics), isShare, shares),
  }
}

function guardSelect(name: string, value: unknown): SelectSettings {
  const fields = fieldsOf(name, value, 'what makes a selector', 'select')
  checkAll(name, fields, { name: 'string', text: 'string', create: 'function' }, 'select')
  const inner = fields as unknown as SelectSettings
  return {
    name: inner.name,
    text: inner.text,
    create: (wordCounts) => {
      const create = (): unknown => inner.create(wordCounts)
      const selector = guard(name, 'select.create', create, isFields, 'a page selector')
      return guardSelector(name, selector, wordCounts)
    },
  }
}

const selectorShape: Readonly<Record<string, FieldType>> = {
  watchesStores: 'boolean',
  patienceRounds: 'number',
  peekMs: 'number',
  peeks: 'function',
  select: 'function',
}

/** A timer cannot be much longer than a round. */
const peekMsMax = 10_000

function guardSelector(name: string, fields: Fields, wordCounts: readonly number[]): PageSelector {
  checkAll(name, fields, selectorShape, 'select.create()')
  const inner = fields as unknown as PageSelector
  const { watchesStores, patienceRounds, peekMs, drops } = inner
  const isClass = (one: unknown): boolean => (PAGE_CLASSES as readonly unknown[]).includes(one)
  if (!Array.isArray(drops) || !drops.every(isClass)) {
    refuse(name, `select.create().drops is to be an array of ${PAGE_CLASSES.join(', ')}, or empty`)
  }
  if (!(peekMs >= 1 && peekMs <= peekMsMax)) {
    refuse(name, `select.create().peekMs is to be from 1 to ${peekMsMax}`)
  }
  if (!(Number.isInteger(patienceRounds) && patienceRounds >= 0)) {
    refuse(name, 'select.create().patienceRounds is to be a whole number from 0 on')
  }
  // What it is shown is its own: pages must not be lost by what it does to that.
  const shown = wordCounts.map((count) => ({
    fresh: new Uint32Array(count),
    lacking: new Uint32Array(count),
  }))
  const isFlag = (flag: unknown): flag is boolean => typeof flag === 'boolean'
  const isNothing = (nothing: unknown): nothing is undefined => !isPromise(nothing)
  return {
    watchesStores,
    patienceRounds,
    peekMs,
    drops,
    peeks: (round) =>
      guard(name, 'select, peeks', () => inner.peeks(round), isFlag, 'true or false'),
    select: (region, fresh, lacking, send) => {
      const own = shown[region]!
      own.fresh.set(fresh)
      own.lacking.set(lacking)
      send.fill(0)
      const choose = (): unknown => inner.select(region, own.fresh, own.lacking, send)
      guard(name, 'select', choose, isNothing, 'nothing, and at once')
    },
  }
}

/**
 * What a function of the policy decides.
 *
 * @throws {GodwitError} `POLICY_FAILED`
 */
function guard<T>(
  name: string,
  what: string,
  decide: () => unknown,
  isRight: (value: unknown) => value is T,
  right: string,
): T {
  let value: unknown
  try {
    value = decide()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GodwitError('POLICY_FAILED', oneLine(`${name}, ${what}: ${why}`), { cause })
  }
  if (isRight(value)) return value
  if (isPromise(value)) {
    // Nobody waits for it: it must not end the process when it is rejected.
    value.catch(() => {})
  }
  const text = `${name}, ${what}: ${right} is to be decided, not ${describe(value)}`
  throw new GodwitError('POLICY_FAILED', oneLine(text))
}

function describe(value: unknown): string {
  if (isPromise(value)) return 'a promise'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return value === undefined ? 'nothing' : `a value of type ${typeof value}`
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !isPromise(value)
}

function fieldsOf(name: string, value: unknown, what: string, at?: string): Fields {
  if (isFields(value) && !Array.isArray(value)) return value
  return refuse(name, `${at === undefined ? 'it' : at} is to be ${what}`)
}

function checkAll(
  name: string,
  fields: Fields,
  types: Readonly<Record<string, FieldType>>,
  at: string,
): void {
  for (const [field, type] of Object.entries(types)) check(name, fields, field, type, false, at)
}

function check(
  name: string,
  fields: Fields,
  field: string,
  type: FieldType,
  isOptional: boolean,
  at?: string,
): void {
  const value = fields[field]
  if (typeof value === type && value !== '') return
  if (isOptional && value === undefined) return
  const path = at === undefined ? field : `${at}.${field}`
  refuse(name, `${path} is to be a ${type}${value === '' ? ' that is not empty' : ''}`)
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function refuse(name: string, text: string): never {
  throw new GodwitError('USAGE', oneLine(`${name}: ${text}`))
}
