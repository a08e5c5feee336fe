import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
public import Outputs
public import Scanout

extension KMSOutput {
  /// The mode of the picture's size; else the picture centred; else the reason why neither works.
  ///
  /// This is how a guest that has the output to itself sets the monitor's mode.
  public func fit(_ buffer: any ScanoutBuffer, source: Rect, keeping: DisplayMode?) -> FitMethod {
    guard let buffer = buffer as? KMSBuffer, buffer.device === device else {
      return .compose("the buffer belongs to another output")
    }
    guard !source.isEmpty, buffer.layout.bounds.contains(source) else {
      return .compose("the source is outside the buffer")
    }
    var why = "no mode of \(source.width)x\(source.height)"
    let candidates = KMSMode.candidates(
      width: source.width, height: source.height, from: connector.modes, current: mode,
      homeMillihertz: homeMillihertz, keeping: keeping)
    for candidate in candidates {
      let code = test(buffer, source, candidate)
      if code == 0 { return .mode(candidate.mode) }
      why = refusal(code, "the mode \(candidate.mode)")
    }
    let (x, y) = centre(source)
    guard x >= 0, y >= 0 else { return .compose("\(why), and the picture is larger than \(mode.mode)") }
    let code = test(buffer, source, mode)
    if code == 0 { return .centered(x: x, y: y) }
    return .compose("\(why), and \(refusal(code, "a plane smaller than the screen"))")
  }

  /// The scene of the primary plane for a commit.
  func place(
    _ buffer: any ScanoutBuffer, _ source: Rect, _ fit: FitMethod
  ) throws(OutputError) -> (plane: PlaneScene, mode: KMSMode) {
    guard let buffer = buffer as? KMSBuffer, buffer.device === device else {
      throw .rejected("the buffer belongs to another output")
    }
    guard !source.isEmpty, buffer.layout.bounds.contains(source) else {
      throw .rejected("the source is outside the buffer")
    }
    var plane = PlaneScene(framebufferID: buffer.framebufferID, source: source, x: 0, y: 0)
    switch fit {
    case .mode(let wanted):
      guard let found = wanted == mode.mode ? mode : connector.modes.first(where: { $0.mode == wanted }) else {
        throw .rejected("\(connector.description.name) has no mode \(wanted)")
      }
      guard wanted.width == source.width, wanted.height == source.height else {
        throw .rejected("the picture does not have the size of the mode \(wanted)")
      }
      return (plane, found)
    case .centered(let x, let y):
      plane.x = x
      plane.y = y
      return (plane, mode)
    case .compose(let why):
      throw .rejected("the picture must be composed: \(why)")
    }
  }

  /// The scene of the cursor plane for a commit.
  func place(_ cursor: CursorState?) throws(OutputError) -> PlaneScene? {
    guard let cursor else { return nil }
    guard pipeline.cursor != nil, cursorSize > 0 else {
      throw .rejected("\(connector.description.name) has no cursor plane")
    }
    guard let buffer = cursor.buffer as? KMSBuffer, buffer.device === device else {
      throw .rejected("the cursor's buffer belongs to another output")
    }
    return PlaneScene(
      framebufferID: buffer.framebufferID, source: buffer.layout.bounds, x: cursor.x, y: cursor.y)
  }

  /// The smallest cursor size that the driver accepts: 64, or the recommended one; 0 without a usable cursor plane.
  func findCursorSize() -> Int {
    guard pipeline.cursor != nil, let scene else { return 0 }
    for size in [64, card.capabilities.cursorSize] where size > 0 {
      guard
        let buffer = try? KMSBuffer.dumb(
          device, width: size, height: size, format: .argb8888, fourcc: PixelFormat.argb8888.fourcc)
      else { continue }
      var probe = scene
      probe.cursor = PlaneScene(framebufferID: buffer.framebufferID, source: buffer.layout.bounds, x: 0, y: 0)
      request.reset()
      probe.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
      if submitTest() == 0 { return size }
    }
    return 0
  }

  /// The error for a refused commit.
  func outputError(_ code: Int32, _ what: String) -> OutputError {
    switch code {
    case EACCES, EPERM:
      let holders = MasterHolder.find(path: card.path, minor: device.minor).map(\.description)
      let who = holders.isEmpty ? "another program" : holders.joined(separator: ", ")
      return .gone("\(card.path): DRM master was taken by \(who)")
    case ENODEV: return .gone("\(card.path) is gone")
    default: return .rejected(refusal(code, what))
    }
  }

  func refusal(_ code: Int32, _ what: String) -> String {
    "\(card.capabilities.driverName) refused \(what): \(SystemError.text(of: code)) (errno \(code))"
  }

  private func centre(_ source: Rect) -> (x: Int, y: Int) {
    ((mode.mode.width - source.width) / 2, (mode.mode.height - source.height) / 2)
  }

  /// Tests a scene (TEST_ONLY); 0 or the errno.
  func test(_ buffer: KMSBuffer, _ source: Rect, _ wanted: KMSMode) -> Int32 {
    var plane = PlaneScene(framebufferID: buffer.framebufferID, source: source, x: 0, y: 0)
    if wanted == mode { (plane.x, plane.y) = centre(source) }
    let scene = Scene(primary: plane, cursor: nil)
    request.reset()
    if wanted == mode {
      scene.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
      return submitTest()
    }
    do {
      let blob = try PropertyBlob(device, mode: wanted)
      scene.appendModeset(to: &request, pipeline, modeBlob: blob.id)
      return submitTest()
    } catch {
      return error.code
    }
  }

  func submitTest() -> Int32 {
    request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_TEST_ONLY) | UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
  }
}
