import GuestMemory
import Testing

struct ByteReaderTests {
  @Test func `little-endian fields are read, and reading stops at the end`() {
    let bytes: [UInt8] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a]
    var reader = ByteReader(bytes.span.bytes)

    let first = reader.read(UInt16.self)
    let second = reader.read(UInt32.self)
    let third = reader.read(UInt64.self)
    let remaining = reader.remaining
    let advanced = [reader.advance(5), reader.advance(-1), reader.advance(3)]
    let last = reader.read(UInt8.self)
    let end = reader.read(UInt8.self)

    #expect(first == 0x0201)
    #expect(second == 0x0605_0403)
    #expect(third == nil)
    #expect(remaining == 4)
    #expect(advanced == [false, false, true])
    #expect(last == 0x0a)
    #expect(end == nil)
  }

  @Test func `little-endian fields are written, and writing stops when full`() {
    var bytes = [UInt8](repeating: 0xff, count: 9)
    var results: [Bool] = []
    do {
      var span = bytes.mutableSpan
      var writer = ByteWriter(span.mutableBytes)
      results.append(writer.write(UInt32(0x0403_0201)))
      results.append(writer.writeZeros(2))
      results.append(writer.write(UInt32(0)))
      results.append(writer.write(UInt16(0x0605)))
      results.append(writer.writeZeros(-1))
    }
    #expect(results == [true, true, false, true, false])
    #expect(bytes == [1, 2, 3, 4, 0, 0, 5, 6, 0xff])
  }
}
