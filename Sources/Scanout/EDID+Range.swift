extension EDID {
  /// The vertical rates in hertz of the display range limits descriptor (tag 0xFD), or nil without one.
  public static func verticalRates(of edid: [UInt8]) -> ClosedRange<Int>? {
    // Four descriptors of 18 bytes from byte 54 on; display descriptors begin with two zero bytes.
    for start in stride(from: 54, through: 108, by: 18) {
      guard edid.count >= blockByteCount else { return nil }
      guard edid[start] == 0, edid[start + 1] == 0, edid[start + 3] == 0xFD else { continue }
      let offsets = edid[start + 4]
      let lowest = Int(edid[start + 5]) + (offsets & 0x03 == 0x03 ? 255 : 0)
      let highest = Int(edid[start + 6]) + (offsets & 0x02 != 0 ? 255 : 0)
      return lowest > 0 && lowest <= highest ? lowest...highest : nil
    }
    return nil
  }
}
