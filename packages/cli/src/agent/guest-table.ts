/**
 * The guests that an agent knows: those that are here, on their way, and those that were.
 *
 * @module
 */
import { GodwitError, NAME_PATTERN } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { HeldGuest } from './held-guest.ts'

/**
 * `starting`: its memory is being filled. `running`: here. `leaving`, `arriving`: on its way.
 * `left`: at its destination. `in-doubt`: stopped here, and only the destination can tell whose it
 * is. `kept`: at its destination, unverified; the stopped copy is kept here. `stranded`: the
 * destination has it, and waits for pages that it will not get. `ended`: a VM that was shut down
 * here. `failed`: it died here. `lost`: it died with the process that had it.
 */
export const GUEST_STATES = [
  'starting',
  'running',
  'leaving',
  'arriving',
  'left',
  'in-doubt',
  'kept',
  'stranded',
  'ended',
  'failed',
  'lost',
] as const
export type GuestState = (typeof GUEST_STATES)[number]

/** Of these the memory is in this process, but for a VM's. */
const live: ReadonlySet<GuestState> = new Set(['starting', 'running', 'leaving', 'arriving'])

/** What may change with the state; what is not said stays. */
export interface GuestChange {
  /** The other side's address, of its last migration. */
  peer?: string | undefined
  /** Of its last migration. */
  session?: string | undefined
  /** This side's, in that. */
  role?: 'source' | 'destination' | undefined
  /** Why it is as it is. */
  reason?: string | undefined
  /** A VM: where it is, as `godwit run` and `godwit send` take it. */
  vm?: string | undefined
  /** Its QEMU, where an agent here started that: its files go with it. */
  pid?: number | undefined
  /** In which it is moved from here, where that is not to be forgotten with this agent. */
  pageBytes?: number | undefined
  /** Its operating system and hypervisor, where `run` said so: `debian/12`. */
  os?: string | undefined
  hypervisor?: string | undefined
}

export interface GuestFacts {
  readonly name: string
  readonly kind: string
  readonly memoryBytes: number
}

/** A guest in this process, or a VM that it has hold of. */
export interface GuestHere {
  /** Undefined while it is arriving, or pages of it are. */
  readonly guest: HeldGuest | undefined
  readonly pageBytes: number
  /** Of stored images of it, newest first, as its source told: secrets. */
  readonly images?: IncomingMigration['images']
  /** Of a guest that came: pages that were named by their content, where that was looked for. */
  readonly staticPages?: number | undefined
  /** Why it died, if it did. */
  died?: GodwitError
  steps(): number | undefined
  /** Ends it, where it has not ended, and gives its memory back; lets go of a VM. */
  release(): Promise<void>
}

/** One line of the table; changed by the table only. */
export interface GuestEntry extends GuestFacts, Readonly<GuestChange> {
  readonly state: GuestState
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number
  readonly here: GuestHere | undefined
}

/** As `ls` and `status` tell it. */
export interface GuestLine extends GuestFacts, GuestChange {
  state: GuestState
  /** ISO 8601. */
  since: string
  steps?: number
}

/** Of guests that are not here any more, the last are remembered. */
const goneMax = 100

type Mutable = { -readonly [Key in keyof GuestEntry]: GuestEntry[Key] }

export class GuestTable {
  readonly #entries = new Map<string, Mutable>()
  readonly #listeners: (() => void)[] = []
  readonly #nowMs: () => number
  #made = 0

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs
  }

  /** Called after every change. */
  listen(onChange: () => void): void {
    this.#listeners.push(onChange)
  }

  get entries(): readonly GuestEntry[] {
    return [...this.#entries.values()]
  }

  /** Those whose memory is in this process. */
  get live(): readonly GuestEntry[] {
    return this.entries.filter(isLive)
  }

  /** @throws {GodwitError} `USAGE`: there is none of this name */
  find(name: string | undefined): GuestEntry {
    if (name === undefined) throw new GodwitError('USAGE', 'Which guest? `godwit ls` has the names')
    const entry = this.#entries.get(name)
    if (entry !== undefined) return entry
    throw new GodwitError('USAGE', `There is no guest "${name}" here; see \`godwit ls\``)
  }

  /** Whether it is in the table still. */
  has(entry: GuestEntry): boolean {
    return this.#entries.get(entry.name) === entry
  }

  /**
   * Adds a guest. A name that another guest had, which is not here any more, is free.
   *
   * @throws {GodwitError} `USAGE`: the name is no name, or taken
   */
  add(facts: GuestFacts, state: GuestState, change: GuestChange = {}): GuestEntry {
    checkName(facts.name)
    if (this.#isTaken(facts.name)) {
      throw new GodwitError('USAGE', `There is a guest "${facts.name}" here already`)
    }
    // To the end, where the newest are.
    this.#entries.delete(facts.name)
    const entry: Mutable = { ...facts, ...change, state, sinceMs: this.#nowMs(), here: undefined }
    this.#entries.set(facts.name, entry)
    this.#forgetOld()
    this.#changed()
    return entry
  }

  /** A name for a guest: the one that is wanted, where that is a name, and free; or like it. */
  freeName(wanted: string | undefined, kind: string): string {
    const isName = wanted !== undefined && NAME_PATTERN.test(wanted)
    if (isName && !this.#isTaken(wanted)) return wanted
    const known = isName ? wanted : NAME_PATTERN.test(kind) ? kind : 'guest'
    // Room for a number.
    const stem = known.slice(0, 56)
    for (;;) {
      const name = `${stem}-${++this.#made}`
      if (!this.#entries.has(name)) return name
    }
  }

  change(entry: GuestEntry, state: GuestState, change: GuestChange = {}): void {
    const mutable = this.#mutable(entry)
    if (mutable.state !== state) mutable.sinceMs = this.#nowMs()
    Object.assign(mutable, { reason: undefined, ...change, state })
    this.#changed()
  }

  /** The guest's memory is here now, or is not any more. */
  place(entry: GuestEntry, here: GuestHere | undefined): void {
    this.#mutable(entry).here = here
    this.#changed()
  }

  remove(entry: GuestEntry): void {
    if (!this.has(entry)) return
    this.#entries.delete(entry.name)
    this.#changed()
  }

  /** As an agent before this one left it. @param sinceMs - since when it is so */
  restore(facts: GuestFacts, state: GuestState, sinceMs: number, change: GuestChange): void {
    if (this.#entries.has(facts.name)) return
    this.#entries.set(facts.name, { ...facts, ...change, state, sinceMs, here: undefined })
  }

  /** Resolves when none of those that are here is waited for any more. */
  settled(isAwaited: (entry: GuestEntry) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.live.some(isAwaited)) resolve()
      }
      this.listen(look)
      look()
    })
  }

  #mutable(entry: GuestEntry): Mutable {
    return entry
  }

  #isTaken(name: string): boolean {
    const entry = this.#entries.get(name)
    return entry !== undefined && isOpen(entry)
  }

  #forgetOld(): void {
    const gone = this.entries.filter((entry) => !isOpen(entry))
    for (const entry of gone.slice(0, Math.max(0, gone.length - goneMax))) {
      this.#entries.delete(entry.name)
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

function isLive({ state, here }: GuestEntry): boolean {
  return live.has(state) || here !== undefined
}

/** Not to be forgotten: it is here, or nobody knows where it is. */
function isOpen(entry: GuestEntry): boolean {
  return isLive(entry) || entry.state === 'in-doubt'
}

/** @throws {GodwitError} `USAGE` */
export function checkName(name: string): string {
  if (NAME_PATTERN.test(name)) return name
  const text = 'is no name: letters, digits and ._- (not in front), at most 64'
  throw new GodwitError('USAGE', `"${name}" ${text}`)
}

export function lineOf(entry: GuestEntry): GuestLine {
  const { name, kind, memoryBytes, state, sinceMs, peer, session, role, reason, here } = entry
  const { vm, pid, pageBytes, os, hypervisor } = entry
  const steps = here?.steps()
  return {
    name,
    kind,
    memoryBytes,
    state,
    since: new Date(sinceMs).toISOString(),
    ...(steps === undefined ? {} : { steps }),
    ...(peer === undefined ? {} : { peer }),
    ...(session === undefined ? {} : { session }),
    ...(role === undefined ? {} : { role }),
    ...(reason === undefined ? {} : { reason }),
    ...(vm === undefined ? {} : { vm }),
    ...(pid === undefined ? {} : { pid }),
    ...(pageBytes === undefined ? {} : { pageBytes }),
    ...(os === undefined ? {} : { os }),
    ...(hypervisor === undefined ? {} : { hypervisor }),
  }
}
