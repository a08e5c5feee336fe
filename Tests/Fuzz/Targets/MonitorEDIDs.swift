import Scanout

/// Everything that the daemon and the devices do with a monitor's EDID.
enum MonitorEDIDs {
  static func run(_ input: inout FuzzInput) {
    let flags = input.byte()
    let mode = DisplayMode(
      width: Int(input.number(UInt16.self)), height: Int(input.number(UInt16.self)),
      refreshMillihertz: Int(input.number(UInt32.self)))
    var edid = input.rest()
    // A right checksum leads further.
    if flags & 1 == 1, edid.count >= EDID.blockByteCount { correct(&edid, mode) }
    read(edid, mode)
  }

  private static func correct(_ edid: inout [UInt8], _ mode: DisplayMode) {
    edid.removeLast(edid.count % EDID.blockByteCount)
    edid.replaceSubrange(0..<8, with: [0, 255, 255, 255, 255, 255, 255, 0])
    edid[126] = UInt8(truncatingIfNeeded: edid.count / EDID.blockByteCount - 1)
    for block in stride(from: 0, to: edid.count, by: EDID.blockByteCount) {
      let sum = edid[block..<block + EDID.blockByteCount - 1].reduce(0, &+)
      edid[block + EDID.blockByteCount - 1] = 0 &- sum
    }
  }

  private static func read(_ edid: [UInt8], _ mode: DisplayMode) {
    let isValid = EDID.isValid(edid)
    _ = EDID.preferredMode(of: edid)
    _ = EDID.verticalRates(of: edid)
    _ = EDID.agrees(edid, with: mode)
    guard mode.width > 0, mode.height > 0, mode.refreshMillihertz > 0 else { return }
    if let rewritten = EDID.rewritingPreferredMode(of: edid, to: mode) {
      check(!isValid || EDID.isValid(rewritten), "a rewritten EDID is not valid")
    }
    let description = EDID.Description(mode: mode, name: "fuzz-0", serial: 1)
    check(EDID.isValid(EDID.forGuest(monitor: edid, description: description)), "the guest's EDID is not valid")
  }
}
