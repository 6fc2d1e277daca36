/**
 * What `send`, `receive` and `agent` tell a catalog: that they are there, and which guests are.
 * They keep what shall be written, and write all of it at every heartbeat, so that a catalog that
 * was away knows everything again once it is back. What fails here is told, and no migration waits
 * for it.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { AgentEntries, Claim, GuestFacts, MachineFacts, Release } from '@godwit/catalog'
import { Catalog, LEASE_MS_DEFAULT } from '@godwit/catalog'
import { GodwitError, formatDurationMs, toGodwitError } from '@godwit/core'
import type { CatalogSettings } from './catalog-option.ts'
import { machineNameOf } from './catalog-option.ts'
import { formatError, note } from './output.ts'

/** Three within a lease. */
const heartbeatMs = LEASE_MS_DEFAULT / 3
/** An agent that ends does not wait longer for its catalog. */
const endMsMax = 2000

/** A guest that is here. */
export interface RegisteredGuest {
  /** As the catalog has it, once it was told. */
  readonly name: string
  /** Of its entry; undefined before there is one. */
  readonly id: string | undefined
  /** It is on its way to a destination that finds it by the session. */
  leaves(session: string): void
  /** It goes on here. */
  stays(): void
  /** It runs elsewhere: its entry holds until its destination takes it, or its lease is over. */
  left(): void
  /** It is no more. */
  ends(): void
}

/** What is known of a guest when it is registered. */
export interface NewGuest {
  readonly kind: string
  readonly memoryBytes: number
  readonly pageBytes: number
  /** The session that it came by; its source may have said more. */
  readonly arrival?: string | undefined
  /** What it is called, and is, where not all guests of the agent are the same. */
  readonly identity?: GuestName
}

/** What somebody says of a guest. */
export interface GuestName {
  readonly name: string
  readonly os: Release | null
  readonly hypervisor: Release | null
}

interface GuestState {
  readonly facts: GuestFacts
  readonly arrival: string | undefined
  /** Which names it. */
  readonly nameOption: string
  claim: Claim | undefined
  /** The session that it leaves by. */
  session: string | null
  isOver: boolean
  /** Once it was told by which session it left, nothing more is. */
  isElsewhere: boolean
}

/** How the machine is just now; nothing where this agent takes no guests. */
export type ReadMachine = (name: string) => MachineFacts

/**
 * Registers an agent where `--catalog` says so.
 *
 * @param tell - hears what the catalog was not told
 */
export function beginRegistration(
  settings: CatalogSettings,
  readMachine?: ReadMachine,
  tell: (text: string) => void = note,
): AgentRegistration | undefined {
  const { catalog } = settings
  if (catalog === undefined) return undefined
  return new AgentRegistration(catalog, settings, tell, readMachine)
}

export class AgentRegistration {
  readonly #url: string
  readonly #settings: CatalogSettings
  readonly #machine: string
  readonly #readMachine: ReadMachine | undefined
  readonly #note: (text: string) => void
  readonly #agent: string = randomUUID()
  readonly #guests = new Set<GuestState>()
  readonly #timer: NodeJS.Timeout
  #catalog: Catalog | undefined
  #isAsked = false
  #isEnding = false
  /** The catalog did not answer in time at the end. */
  readonly #late = new AbortController()
  #work: Promise<void> | undefined
  /** The last failure that was told, until one heartbeat succeeds. */
  #told: string | undefined

  constructor(
    url: string,
    settings: CatalogSettings,
    tell: (text: string) => void,
    readMachine?: ReadMachine,
  ) {
    this.#note = tell
    this.#url = url
    this.#settings = settings
    this.#machine = machineNameOf(settings)
    this.#readMachine = readMachine
    this.#timer = setInterval(() => this.#ask(), heartbeatMs).unref()
    this.#ask()
  }

  /** Registers a guest that is here. */
  guest({ kind, memoryBytes, pageBytes, arrival, identity }: NewGuest): RegisteredGuest {
    const { vmName } = this.#settings
    const { os = null, hypervisor = null } = identity ?? this.#settings
    const id = randomUUID()
    const name = identity?.name ?? vmName ?? `${kind}-${id.slice(0, 8)}`
    const place = { machine: this.#machine, state: 'running', memoryBytes, pageBytes } as const
    const facts = { id, name, os, hypervisor, ...place }
    const nameOption = identity === undefined ? '--vm-name' : '--name'
    const begun = { claim: undefined, session: null, isOver: false, isElsewhere: false }
    const state: GuestState = { facts, arrival, nameOption, ...begun }
    const change = (changes: Partial<GuestState>): void => {
      Object.assign(state, changes)
      // One that came back, though its destination had it already, is taken in again.
      if (!state.isOver && !state.isElsewhere) this.#guests.add(state)
      this.#ask()
    }
    change({})
    return {
      get name() {
        return state.claim?.name ?? name
      },
      get id() {
        return state.claim?.id
      },
      leaves: (session) => change({ session }),
      stays: () => change({ session: null }),
      left: () => change({ isElsewhere: true }),
      ends: () => change({ isOver: true }),
    }
  }

  /** Says good-bye, within {@link endMsMax}. */
  async end(): Promise<void> {
    clearInterval(this.#timer)
    this.#isEnding = true
    const timer = setTimeout(() => {
      const text = `The catalog does not answer within ${formatDurationMs(endMsMax)}`
      this.#tell(new GodwitError('CATALOG_UNAVAILABLE', text))
      this.#late.abort()
    }, endMsMax)
    await this.#withdraw()
    clearTimeout(timer)
  }

  async #withdraw(): Promise<void> {
    await this.#work
    try {
      await this.#catalog?.agent(this.#agent).withdraw()
    } catch (thrown) {
      this.#tell(toGodwitError(thrown))
    }
    await this.#catalog?.close().catch(() => {})
  }

  /** The file is another one: what was written is not there. */
  async #leave(): Promise<void> {
    const catalog = this.#catalog
    this.#catalog = undefined
    await catalog?.close().catch(() => {})
  }

  /** Writes soon what has changed, one round at a time. */
  #ask(): void {
    this.#isAsked = true
    this.#work ??= this.#write().finally(() => {
      this.#work = undefined
    })
  }

  async #write(): Promise<void> {
    while (this.#isAsked && !this.#isEnding) {
      this.#isAsked = false
      try {
        if (this.#catalog?.isReplaced === true) await this.#leave()
        this.#catalog ??= await Catalog.open(this.#url, { signal: this.#late.signal })
        const agent = this.#catalog.agent(this.#agent)
        const conflicts = [
          ...(await this.#writeMachine(agent)),
          ...(await this.#writeGuests(agent)),
        ]
        if (conflicts.length === 0) this.#told = undefined
        else this.#tell(new GodwitError('CATALOG_CONFLICT', conflicts.join('; ')))
      } catch (thrown) {
        this.#tell(toGodwitError(thrown))
      }
    }
  }

  /** @returns what another agent has */
  async #writeMachine(agent: AgentEntries): Promise<readonly string[]> {
    if (this.#readMachine === undefined) return []
    const isMine = await agent.keepMachine(this.#readMachine(this.#machine))
    return isMine ? [] : [`Another agent is machine ${this.#machine} (--machine)`]
  }

  async #writeGuests(agent: AgentEntries): Promise<readonly string[]> {
    const conflicts: string[] = []
    for (const guest of this.#guests) {
      if (guest.isOver) {
        // One that was here for a moment still stands there as its source left it.
        const claim = guest.claim ?? (await this.#takeOver(agent, guest))
        if (claim !== undefined) await agent.releaseGuest(claim)
        this.#guests.delete(guest)
        continue
      }
      // What is said while it is written is written the next time.
      const { isElsewhere } = guest
      const isMine = await this.#writeGuest(agent, guest)
      if (isElsewhere) this.#guests.delete(guest)
      else if (!isMine) {
        const { name } = guest.claim ?? guest.facts
        conflicts.push(`Another agent has a guest ${name} (${guest.nameOption})`)
      }
    }
    return conflicts
  }

  /** @returns false where another agent has it */
  async #writeGuest(agent: AgentEntries, guest: GuestState): Promise<boolean> {
    const { claim, session } = guest
    if (claim !== undefined && (await agent.keepGuest(claim, session))) return true
    if (claim !== undefined && session !== null) {
      // Its destination has taken it over.
      this.#guests.delete(guest)
      return true
    }
    const fresh = await this.#claim(agent, guest)
    if (fresh === undefined) return false
    guest.claim = fresh
    return session === null || agent.keepGuest(fresh, session)
  }

  async #claim(agent: AgentEntries, guest: GuestState): Promise<Claim | undefined> {
    const { claim, facts } = guest
    const taken = await this.#takeOver(agent, guest)
    if (taken !== undefined) return taken
    // An entry that was removed is made again as it was.
    const { id, name, os, hypervisor } = claim ?? facts
    return agent.claimGuest({ ...facts, id, name, os, hypervisor })
  }

  /** What the source of a guest said of it. */
  async #takeOver(agent: AgentEntries, { facts, arrival }: GuestState): Promise<Claim | undefined> {
    if (arrival === undefined) return undefined
    const { machine, os, hypervisor } = facts
    return agent.takeOver({ session: arrival, machine, os, hypervisor })
  }

  #tell(error: GodwitError): void {
    // What fails because it was given up was told already.
    if (this.#late.signal.aborted) return
    const text = formatError(error)
    if (text !== this.#told)
      this.#note(`${text} (the catalog is not told; everything else goes on)`)
    this.#told = text
  }
}
