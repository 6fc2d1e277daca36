import { describe, expect, it } from 'vitest'
import { Crowd, addressOfRemote } from './crowd.ts'

/** A crowd, and who was dropped from it. */
function crowdOf(max: number, perAddressMax = max) {
  const crowd = new Crowd({ max, perAddressMax })
  const dropped: string[] = []
  const enter = (address: string, name: string) => crowd.enter(address, () => dropped.push(name))
  return { crowd, dropped, enter }
}

describe('a crowd', () => {
  it('drops the stranger who has been there the longest', () => {
    const { crowd, dropped, enter } = crowdOf(3)
    for (const name of ['1', '2', '3', '4', '5']) expect(enter('a', name)).toBeDefined()
    expect(dropped).toEqual(['1', '2'])
    expect(crowd.size).toBe(3)
  })

  it('never drops who is known, and refuses when there is nobody else', () => {
    const { dropped, enter } = crowdOf(2)
    enter('a', 'known')!.settle()
    const stranger = enter('a', 'stranger')!
    expect(enter('a', 'third')).toBeDefined()
    expect(dropped).toEqual(['stranger'])
    stranger.settle()
    enter('a', 'fourth')!.settle()
    expect(dropped).toEqual(['stranger', 'third'])
    expect(enter('b', 'fifth')).toBeUndefined()
  })

  it('drops of the address with the most strangers, not of the others', () => {
    const { dropped, enter } = crowdOf(4)
    enter('good', 'good')
    for (const name of ['1', '2', '3', '4', '5']) enter('bad', name)
    expect(dropped).toEqual(['1', '2'])
  })

  it('lets one address have no more than its share', () => {
    const { dropped, enter } = crowdOf(4, 2)
    const first = enter('a', '1')!
    first.settle()
    enter('a', '2')
    enter('a', '3')!.settle()
    expect(dropped).toEqual(['2'])
    expect(enter('a', '4')).toBeUndefined()
    expect(enter('b', '5')).toBeDefined()
    first.leave()
    first.leave()
    expect(enter('a', '6')).toBeDefined()
    expect(dropped).toEqual(['2'])
  })

  it('holds nothing of those who have left', () => {
    const { crowd, enter } = crowdOf(1)
    for (let i = 0; i < 5; i++) {
      const place = enter(`${i}`, 'x')!
      place.settle()
      place.leave()
    }
    expect(crowd.size).toBe(0)
    expect(enter('z', 'y')).toBeDefined()
  })
})

it.each([
  ['tcp 127.0.0.1:7000', '127.0.0.1'],
  ['ws [::1]:80', '[::1]'],
  ['memory pair', 'pair'],
])('the address of %s', (remote, address) => expect(addressOfRemote(remote)).toBe(address))
