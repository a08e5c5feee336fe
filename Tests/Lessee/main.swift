// A program that drives a leased output, run by `framepath lease` in the lab's tests. It executes the lines of its
// standard input, and answers each with one line.
import CDRM
import Glibc
import LinuxIO

/// The leased device and what was made on it.
final class Screen {
  let fd: Int32
  private var framebuffers: [UInt32] = []
  private var last: (framebuffer: UInt32, crtc: UInt32, connector: UInt32, mode: drmModeModeInfo)?

  init(fd: Int32) {
    self.fd = fd
    // Overlay, primary and cursor planes alike.
    _ = drmSetClientCap(fd, UInt64(DRM_CLIENT_CAP_UNIVERSAL_PLANES), 1)
  }

  struct Failure: Error {
    var call: String
    var code: Int32
  }

  private func check(_ call: String, _ result: Int32) throws(Failure) {
    if result != 0 { throw Failure(call: call, code: result == -1 ? errno : -result) }
  }

  /// Ids of the connectors, CRTCs and planes that the device lists.
  func objects() throws(Failure) -> (connectors: [UInt32], crtcs: [UInt32], planes: [UInt32]) {
    guard let list = drmModeGetResources(fd) else { throw Failure(call: "drmModeGetResources", code: errno) }
    defer { drmModeFreeResources(list) }
    guard let planes = drmModeGetPlaneResources(fd) else {
      throw Failure(call: "drmModeGetPlaneResources", code: errno)
    }
    defer { drmModeFreePlaneResources(planes) }
    func ids(_ pointer: UnsafeMutablePointer<UInt32>?, _ count: Int) -> [UInt32] {
      pointer.map { Array(UnsafeBufferPointer(start: $0, count: count)) } ?? []
    }
    return (
      ids(list.pointee.connectors, Int(list.pointee.count_connectors)),
      ids(list.pointee.crtcs, Int(list.pointee.count_crtcs)),
      ids(planes.pointee.planes, Int(planes.pointee.count_planes))
    )
  }

  /// The number of objects that it can look up by guessed ids although the device does not list them.
  func hiddenObjects() throws(Failure) -> Int {
    let known = try objects()
    var count = 0
    for id in UInt32(1)...255 {
      if !known.connectors.contains(id), let found = drmModeGetConnectorCurrent(fd, id) {
        drmModeFreeConnector(found)
        count += 1
      }
      if !known.crtcs.contains(id), let found = drmModeGetCrtc(fd, id) {
        drmModeFreeCrtc(found)
        count += 1
      }
      if !known.planes.contains(id), let found = drmModeGetPlane(fd, id) {
        drmModeFreePlane(found)
        count += 1
      }
    }
    return count
  }

  /// How many frame buffers of others it could read: those whose memory GETFB gives it by their guessed ids.
  func readableFramebuffers() -> Int {
    var count = 0
    for id in UInt32(1)...1023 where !framebuffers.contains(id) {
      guard let found = drmModeGetFB(fd, id) else { continue }
      if found.pointee.handle != 0 { count += 1 }
      drmModeFreeFB(found)
    }
    return count
  }

  /// A dumb buffer of one colour, 0xAARRGGBB.
  private func buffer(_ width: UInt32, _ height: UInt32, _ colour: UInt32) throws(Failure) -> (
    framebuffer: UInt32, handle: UInt32
  ) {
    var (handle, pitch, size) = (UInt32(0), UInt32(0), UInt64(0))
    try check("CREATE_DUMB", drmModeCreateDumbBuffer(fd, width, height, 32, 0, &handle, &pitch, &size))
    var offset: UInt64 = 0
    try check("MAP_DUMB", drmModeMapDumbBuffer(fd, handle, &offset))
    guard let memory = mmap(nil, Int(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, off_t(offset)), memory != MAP_FAILED
    else { throw Failure(call: "mmap", code: errno) }
    defer { munmap(memory, Int(size)) }
    for index in 0..<Int(size) / 4 { memory.storeBytes(of: colour, toByteOffset: index * 4, as: UInt32.self) }
    var id: UInt32 = 0
    // Depth 24 is XRGB8888, 32 is ARGB8888.
    try check("ADDFB", drmModeAddFB(fd, width, height, colour >> 24 == 0 ? 24 : 32, 32, pitch, handle, &id))
    framebuffers.append(id)
    return (id, handle)
  }

  /// Sets the mode of that size and shows one colour.
  func show(_ width: UInt32, _ height: UInt32, _ colour: UInt32) throws(Failure) {
    let found = try objects()
    guard let connectorID = found.connectors.first, let crtc = found.crtcs.first else {
      throw Failure(call: "no connector or CRTC", code: ENOENT)
    }
    guard let connector = drmModeGetConnector(fd, connectorID) else {
      throw Failure(call: "GETCONNECTOR", code: errno)
    }
    defer { drmModeFreeConnector(connector) }
    for index in 0..<Int(connector.pointee.count_modes) {
      let mode = connector.pointee.modes[index]
      guard UInt32(mode.hdisplay) == width, UInt32(mode.vdisplay) == height else { continue }
      let made = try buffer(width, height, colour)
      last = (made.framebuffer, crtc, connectorID, mode)
      return try showAgain()
    }
    throw Failure(call: "no mode \(width)x\(height)", code: EINVAL)
  }

  /// Repeats the last mode set.
  func showAgain() throws(Failure) {
    guard var last else { throw Failure(call: "nothing shown", code: EINVAL) }
    try check(
      "SETCRTC", drmModeSetCrtc(fd, last.crtc, last.framebuffer, 0, 0, &last.connector, 1, &last.mode))
  }

  /// Puts a cursor onto the screen, as programs with a lease do that daemons must clean up after.
  func cursor(_ colour: UInt32) throws(Failure) {
    guard let crtc = try objects().crtcs.first else { throw Failure(call: "no CRTC", code: ENOENT) }
    let made = try buffer(64, 64, 0xff00_0000 | colour)
    try check("CURSOR", drmModeSetCursor(fd, crtc, made.handle, 64, 64))
    try check("CURSOR", drmModeMoveCursor(fd, crtc, 10, 10))
  }

  /// Covers a part of the screen by every plane that is neither the primary one nor the cursor.
  func overlay(_ colour: UInt32) throws(Failure) {
    let found = try objects()
    guard let crtc = found.crtcs.first else { throw Failure(call: "no CRTC", code: ENOENT) }
    let made = try buffer(100, 100, colour)
    var code: Int32 = -ENOENT
    for plane in found.planes {
      guard let about = drmModeGetPlane(fd, plane) else { continue }
      defer { drmModeFreePlane(about) }
      if about.pointee.fb_id != 0 { continue }
      code = min(
        code == -ENOENT ? 0 : code,
        drmModeSetPlane(
          fd, plane, crtc, made.framebuffer, 0, 200, 200, 100, 100, 0, 0, 100 << 16, 100 << 16))
    }
    try check("SETPLANE", code)
  }

  /// Turns every colour into its opposite.
  func invertGamma() throws(Failure) {
    guard let id = try objects().crtcs.first, let crtc = drmModeGetCrtc(fd, id) else {
      throw Failure(call: "no CRTC", code: ENOENT)
    }
    let size = crtc.pointee.gamma_size
    drmModeFreeCrtc(crtc)
    guard size > 1 else { throw Failure(call: "no gamma", code: EOPNOTSUPP) }
    var ramp = (0..<Int(size)).map { UInt16(65_535 - $0 * 65_535 / (Int(size) - 1)) }
    let code = ramp.withUnsafeMutableBufferPointer { values in
      drmModeCrtcSetGamma(fd, id, UInt32(size), values.baseAddress, values.baseAddress, values.baseAddress)
    }
    try check("SETGAMMA", code)
  }
}

func answer(_ words: [Substring], _ screen: Screen) throws(Screen.Failure) -> String {
  func colour(_ index: Int) -> UInt32 { words.count > index ? UInt32(words[index], radix: 16) ?? 0 : 0 }
  switch words.first {
  case "objects":
    let found = try screen.objects()
    return "\(found.connectors.count) connectors, \(found.crtcs.count) crtcs, \(found.planes.count) planes"
  case "hidden": return "\(try screen.hiddenObjects()) hidden"
  case "readable": return "\(screen.readableFramebuffers()) readable"
  case "show":
    let size = words.count > 1 ? words[1].split(separator: "x").compactMap { UInt32($0) } : []
    guard size.count == 2 else { return "show WIDTHxHEIGHT RRGGBB" }
    try screen.show(size[0], size[1], colour(2))
    return "shown"
  case "again":
    try screen.showAgain()
    return "shown"
  case "cursor":
    try screen.cursor(colour(1))
    return "shown"
  case "overlay":
    try screen.overlay(colour(1))
    return "shown"
  case "gamma":
    try screen.invertGamma()
    return "inverted"
  case "close":
    close(screen.fd)
    return "closed"
  case "exit": exit(words.count > 1 ? Int32(words[1]) ?? 0 : 0)
  default: return "unknown"
  }
}

/// A line at once, however it is read.
func say(_ line: String) {
  let bytes = Array("\(line)\n".utf8)
  _ = write(STDOUT_FILENO, bytes, bytes.count)
}

guard let text = environmentVariable("FRAMEPATH_LEASE_FD"), let number = Int32(text) else {
  writeErrorLine("FRAMEPATH_LEASE_FD names no descriptor")
  exit(64)
}
let screen = Screen(fd: number)
say("ready \(currentProcessID())")
while let line = readLine() {
  do {
    say(try answer(line.split(separator: " "), screen))
  } catch {
    say("failed \(error.call) \(error.code)")
  }
}
