public import GraphicsMemory
public import GuestMemory
import Scanout

/// A virtio-gpu device (virtio 1.3, 5.7): 2D resources, guest blobs, cursors, EDID.
///
/// It takes requests as bytes and gives responses as bytes; rings, sockets and threads are the caller's. It shows
/// frames through a `GPUDisplay`. Whatever a guest sends is answered, by an error where it must be, and never traps.
/// Owned by one thread.
///
/// The display is called through an existential once a frame, as costly as the witness call of a generic device; in
/// return the data path is compiled once, here.
///
/// **Where pixels come from.** An image's pixels are copied when TRANSFER_TO_HOST_2D comes, straight into a host buffer
/// that nobody reads; RESOURCE_FLUSH hands that buffer over. Buffers rotate, so one may lack what earlier transfers
/// brought: those parts are copied from the guest's pages as they are now. Linux transfers whole frames where it
/// flips, so this happens only where the guest draws into the front buffer anyway. The copy is late (at the flush, or
/// when the display releases a buffer) where no scanout has shown the resource yet or no buffer is free: nothing
/// ever waits for an unpaced guest. A blob's pixels are copied at RESOURCE_FLUSH.
///
/// **Without a copy.** A blob's pages are imported by the display when a scanout is set to it, once per picture, and
/// shown themselves. The guest draws into them again when its fenced flush is answered: after the flip, and after the
/// pages that were on screen before are no longer read. Where the display refuses, frames are copied as above.
///
/// **Fences.** To a guest an answered fence means that all earlier ones of its timeline are done, too. So while a flush
/// waits for its flip, later fenced commands wait behind it, in their order; the guest is told nothing too early. The
/// flushes of several heads share a timeline in Linux: a head waits for the other's flip as well, and heads of unlike
/// rates run at the lowest one. Nothing waits longer than the flush deadline.
@safe public final class Device {
  let display: any GPUDisplay
  let memory: GuestMemory
  /// What the device was made with.
  public let configuration: DeviceConfiguration

  /// Called when the guest may have a deferred response. Not called for what was pending at a reset.
  public var onCompletion: ((_ token: UInt64) -> Void)?

  /// Counts every byte copied for frames.
  public internal(set) var ledger = CopyLedger()
  /// Counts every byte copied for cursors.
  public internal(set) var cursorLedger = CopyLedger()

  /// Threads that help to copy large pictures; they start with the first one.
  let workers = CopyWorkers()
  let buffer = ResponseBuffer()
  var resources: [UInt32: Resource] = [:]
  var chargedBytes = 0
  var lastSerial: UInt64 = 0
  let scanouts: [ScanoutState]
  var space: ConfigurationSpace
  var features: DeviceFeatures = []
  var isDisplayAway = false
  /// The latest time that the caller told.
  var clockNanoseconds: UInt64 = 0
  var pendingAnswers = PendingAnswers()

  /// What any resource costs beside its pixels, for the memory limit.
  static let resourceCost = 1024

  /// A device whose pictures `display` shows and whose resources lie in `memory`.
  public init(display: any GPUDisplay, memory: GuestMemory, configuration: DeviceConfiguration) {
    self.display = display
    self.memory = memory
    self.configuration = configuration
    let count = configuration.scanoutCount
    scanouts = (0..<count).map { ScanoutState(index: $0, scanoutCount: count) }
    space = ConfigurationSpace(scanoutCount: UInt32(configuration.scanoutCount))
  }

  /// Feature bits that the device offers.
  public static let offeredFeatures: DeviceFeatures = [.edid, .resourceBlob]

  /// The bits that the guest took; unknown ones are ignored.
  public func featuresAccepted(_ bits: UInt64) { features = DeviceFeatures(rawValue: bits) }

  /// The response to the last command that was answered at once; valid until the next command.
  public var response: UnsafeRawBufferPointer { unsafe buffer.bytes }

  /// Serves one command of the control queue.
  ///
  /// - Parameters:
  ///   - request: a private copy of the chain's readable bytes.
  ///   - nowNanoseconds: CLOCK_MONOTONIC.
  public func control(request: UnsafeRawBufferPointer, nowNanoseconds: UInt64) -> ControlResponse {
    clockNanoseconds = nowNanoseconds
    var reader = unsafe ByteReader(request.bytes)
    guard let header = ControlHeader(&reader) else {
      return .respond(byteCount: buffer.encode(.unspecified, for: .none))
    }
    let response: ControlResponse
    do throws(GPUError) {
      response = unsafe try execute(try ControlCommand(type: header.type, &reader), header: header, request: request)
    } catch {
      response = .respond(byteCount: buffer.encode(error, for: header))
    }
    return header.isFenced ? inOrder(response, FenceTimeline(header)) : response
  }

  private func execute(
    _ command: ControlCommand, header: ControlHeader, request: UnsafeRawBufferPointer
  ) throws(GPUError) -> ControlResponse {
    switch command {
    case .getDisplayInfo:
      return .respond(byteCount: buffer.encodeDisplayInfo(displayModes(), for: header))
    case .getEDID(let scanout):
      return .respond(byteCount: buffer.encodeEDID(try edid(scanout), for: header))
    case .resourceCreate2D(let resource, let format, let width, let height):
      try createImage(resource, format: format, width: width, height: height)
    case .resourceCreateBlob(let blob):
      let entries = unsafe UnsafeRawBufferPointer(rebasing: request.dropFirst(ControlCommand.createBlobByteCount))
      unsafe try createBlob(blob, entries: entries)
    case .resourceUnref(let resource):
      try unref(resource)
    case .attachBacking(let resource, let entryCount):
      let entries = unsafe UnsafeRawBufferPointer(rebasing: request.dropFirst(ControlCommand.attachBackingByteCount))
      unsafe try attachBacking(resource, entryCount: entryCount, entries: entries)
    case .detachBacking(let resource):
      try detachBacking(resource)
    case .setScanout(let source, let scanout, let resource):
      try setScanout(scanout, resource: resource, source: source)
    case .setScanoutBlob(let blob):
      try setScanoutBlob(blob)
    case .transferToHost2D(let rect, let offset, let resource):
      try transfer(resource, rect: rect, offset: offset)
    case .resourceFlush(let rect, let resource):
      if let token = try flush(resource, rect: rect, fence: header.isFenced ? FenceTimeline(header) : nil) {
        return .deferred(token: token, byteCount: buffer.encodeOK(for: header))
      }
    case .ofContext:
      throw .invalidContext
    case .unsupported:
      throw .unspecified
    }
    return .respond(byteCount: buffer.encodeOK(for: header))
  }

  /// Everything as at the start: resources gone, scanouts blank, pending responses forgotten. The accepted features stay:
  /// a frontend may tell of the next driver's before it is known that there was a reset.
  public func reset() {
    pendingAnswers.removeAll()
    resources.removeAll()
    chargedBytes = 0
    space.events = 0
    for scanout in scanouts {
      if !isDisplayAway {
        if scanout.cursor.isVisible { hideCursor(scanout) }
        if scanout.binding != nil { display.disable(scanout: scanout.index) }
        for pool in scanout.pools { for buffer in pool.buffers { display.destroyBuffer(buffer.host.id) } }
        for id in scanout.cursor.bufferIDs { display.destroyBuffer(id) }
      }
      forgetImports(scanout)
      scanout.reset()
    }
  }

  /// The guest's memory table has changed: all pages are looked up again.
  public func memoryChanged() {
    for resource in resources.values { resource.backing?.resolve(memory) }
    // The same addresses may mean other pages: they are imported anew for the next frame.
    for scanout in scanouts { forgetImports(scanout) }
    settleAnswers()
    retryFrames()
  }
}
