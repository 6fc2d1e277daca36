/**
 * `godwit send --select` and `--stop`: what is refused, and what people, scripts and programs are
 * told; a captured stream of it passes.
 */
import { PageBitmap } from '@godwit/core'
import { receive, send } from 'godwit'
import { reportSchema } from 'godwit/report-schema'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

describe('--select and --stop', () => {
  const nowhere = ['--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']

  it.each<[string[], RegExp]>([
    [
      ['--select', 'nonsense'],
      /"nonsense" is not a page selector; there are all-dirty, .*classes$/,
    ],
    [['--select', 'ppc,rounds=99'], /rounds=99: it is a whole number from 1 to 30/],
    [['--select', 'flag,hits=2'], /flag has no "hits"; there is times$/],
    [['--select', 'ppc', '--mode', 'post-copy'], /ppc needs a mode with rounds/],
    [['--stop', 'ratio=zero'], /ratio=zero: expected a number above 0/],
    [['--stop', 'half'], /"half" is not a stop rule; .* ratio, wws, budget, and A\+B for both/],
  ])('are refused before anything is begun: %j', async (options, text) => {
    const ended = await runCommandLine('send', 'idle', ...options, ...nowhere)
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
    expect(ended.stderr.trim()).toMatch(text)
  })

  it.each([
    ['writer,wss=1MiB,rate=20000,style=page', 'history,rounds=2,hits=1', 'max-rounds=4', / held /],
    ['cache,rate=20000', 'classes', 'budget=9,max-rounds=3', /^dropped .* the guest gave up/m],
  ])('move a guest: %s, %s, %s', async (guest, select, stop, line) => {
    const [file, capture] = [freshPath('source.json'), freshPath('source.gwc')]
    const destination = await startDestination('--once', '--run-for', '60ms')
    const slow = ['--max-bandwidth', '400Mbit', '--pause-bandwidth', '4Gbit', '--warmup', '300ms']
    const options = ['--to', destination.address, '--json', file, '--capture', capture, ...slow]
    const how = ['--memory', '16MiB', '--select', select, '--stop', stop]
    const sent = await runCommandLine('send', guest, ...options, ...how)
    expect([sent.code, (await destination.process.ended).code]).toEqual([0, 0])
    const report = readReport(file)
    expect((await reportSchema['~standard'].validate(report)).issues).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.guestProof!.continuous).toBe(true)
    expect(report.policies!['select']).toMatch(new RegExp(`^${select}`))
    expect(report.rounds.length).toBeGreaterThanOrEqual(3)
    expect(sent.stdout).toMatch(line)
    const verified = await runCommandLine('verify', capture)
    expect([verified.code, verified.stderr]).toEqual([0, ''])
  })
})

describe('a program', () => {
  const pageBytes = 4096
  const pages = 64

  it('has its own memory dropped where it says so', async () => {
    const memory = new Uint8Array(new SharedArrayBuffer(pages * pageBytes)).fill(7)
    let gaveUp = 0
    const isFree = (page: number): boolean => page % 4 === 3
    const add = (into: PageBitmap): void => {
      for (let page = 0; page < into.pageCount; page++) if (isFree(page)) into.add(page)
    }
    const arrived = Promise.withResolvers<Uint8Array>()
    const receiver = await receive(
      { run: ([region]) => arrived.resolve(region!.bytes) },
      { listen: '127.0.0.1:0' },
    )
    const report = await send(
      {
        memory,
        pause: () => {},
        resume: () => {},
        classes: {
          addPages: (names, _region, _pageBytes, into) => {
            if (names.includes('free')) add(into)
          },
          giveUp: (names, size, [into]) => {
            expect([names, size]).toEqual([['free', 'cache'], pageBytes])
            add(into!)
            gaveUp++
          },
        },
      },
      { to: receiver.address, select: 'classes', stop: 'wws,max-rounds=2' },
    )
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect([report.droppedPages, report.pages!.zero, gaveUp]).toEqual([16, 16, 1])
    const bytes = await arrived.promise
    const expected = Uint8Array.from(bytes, (_, at) => (isFree(Math.floor(at / pageBytes)) ? 0 : 7))
    expect(Buffer.compare(bytes, expected)).toBe(0)
    await receiver.close()
  })

  it('is told what it cannot have', async () => {
    const owner = { memory: new Uint8Array(pageBytes), pause: () => {}, resume: () => {} }
    const sending = (select: string) => send(owner, { to: '127.0.0.1:9', select })
    await expect(sending('classes')).rejects.toMatchObject({ code: 'USAGE' })
    await expect(sending('ppc')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('there are barrier and pagemap'),
    })
  })
})
