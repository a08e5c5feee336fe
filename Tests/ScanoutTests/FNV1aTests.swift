import Scanout
import Testing

@Suite("The hash FNV-1a")
struct FNV1aTests {
  @Test(
    arguments: [
      ("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8),
    ] as [(String, UInt64)])
  func `texts have the hashes of its published test vectors`(text: String, hash: UInt64) {
    #expect(FNV1a(text).value == hash)
  }

  @Test func `a rectangle is its four numbers in order, negative ones too`() {
    var one = FNV1a()
    one.add(Rect(x: -1, y: 2, width: 3, height: 4))
    var other = FNV1a()
    for number in [UInt64.max, 2, 3, 4] { other.add(number) }
    #expect(one == other)
    var turned = FNV1a()
    turned.add(Rect(x: 2, y: -1, width: 3, height: 4))
    #expect(one != turned)
  }
}
