public import GraphicsMemory
public import GuestMemory
import Scanout

/// A virtio-gpu device (virtio 1.3, 5.7): 2D resources, guest blobs, cursors, EDID.
///
/// Requests and responses are bytes; rings, sockets and threads belong to the caller. Frames are shown through a
/// `GPUDisplay`. Every request is answered, if necessary with an error, and none traps. Owned by one thread.
///
/// The display is called through an existential once per frame, which costs as much as the witness call of a generic
/// device; in return the data path is compiled once, here.
///
/// **Copies.** An image's pixels are copied at TRANSFER_TO_HOST_2D into a host buffer that is not being read;
/// RESOURCE_FLUSH presents that buffer. Buffers rotate, so one may lack the damage of earlier transfers: those parts
/// are copied from the guest's current pages. Linux transfers whole frames when it flips, so this happens only if the
/// guest draws into the front buffer anyway. The copy is late (at the flush, or when the display releases a buffer) if
/// no scanout has shown the resource yet or no buffer is free: an unpaced guest never waits. A blob's pixels are copied
/// at RESOURCE_FLUSH.
///
/// **Direct scan-out.** The display imports a blob's pages when a scanout is set to it, once per picture, and shows
/// them without a copy. The guest draws into them again when its fenced flush is answered: after the flip, and when the
/// pages that were on screen before are no longer read. If the display refuses, frames are copied as above.
///
/// **Fences.** For a guest an answered fence means that all earlier ones of its timeline are done, too. So while a
/// flush waits for its flip, later fenced commands are queued after it in order, and no fence is signalled too early.
/// In Linux the flushes of several heads share a timeline: a head also waits for the other's flip, and heads of
/// different rates run at the lowest one. Nothing waits longer than the flush deadline.
@safe public final class Device {
  let display: any GPUDisplay
  let memory: GuestMemory
  /// The device's configuration.
  public internal(set) var configuration: DeviceConfiguration

  /// Called when a deferred response may be sent. Not called for responses that were pending at a reset.
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
  /// The control queue does not run.
  var isStopped = false
  /// When the control queue stopped.
  var stoppedNanoseconds: UInt64 = 0
  /// When stopped scanouts go black; nil: never.
  var blankDeadlineNanoseconds: UInt64?
  /// Why the VM's device cannot be served; nil: it is.
  var refusal: String?
  /// How the memory limit was hit; nil: it was not.
  var memoryRefusal: String?
  /// Called once with the numbers, when the guest first exceeds the memory limit.
  public var onMemoryRefusal: ((_ reason: String) -> Void)?
  /// Why a picture's memory could not be used since the guest started; nil: none was.
  var missingMemory: String?
  /// Called when the guest names memory that this process does not have, once until the next reset.
  public var onMissingMemory: ((_ reason: String) -> Void)?
  /// Called once since the guest started, when it uses a scanout that the device does not have: QEMU's vhost-user-gpu
  /// tells the guest the number of its own property `max_outputs`.
  public var onMissingScanout: ((_ index: UInt32) -> Void)?
  var hasMissedScanout = false
  /// The time of the caller's last call.
  var clockNanoseconds: UInt64 = 0
  var pendingAnswers = PendingAnswers()
  var leaving = LeavingPages()

  /// A device that shows its frames on `display` and has its resources in `memory`.
  public init(display: any GPUDisplay, memory: GuestMemory, configuration: DeviceConfiguration) {
    self.display = display
    self.memory = memory
    self.configuration = configuration
    let count = configuration.scanoutCount
    scanouts = (0..<count).map { ScanoutState(index: $0, scanoutCount: count) }
    space = ConfigurationSpace(scanoutCount: UInt32(configuration.scanoutCount))
  }

  /// The feature bits that the device offers.
  public static let offeredFeatures: DeviceFeatures = [.edid, .resourceBlob]

  /// The bits that the driver accepted; unknown ones are ignored.
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
      if let token = try unref(resource, mayWait: !header.isFenced) {
        return .deferred(token: token, byteCount: buffer.encodeOK(for: header))
      }
    case .attachBacking(let resource, let entryCount):
      let entries = unsafe UnsafeRawBufferPointer(rebasing: request.dropFirst(ControlCommand.attachBackingByteCount))
      unsafe try attachBacking(resource, entryCount: entryCount, entries: entries)
    case .detachBacking(let resource):
      if let token = try detachBacking(resource, mayWait: !header.isFenced) {
        return .deferred(token: token, byteCount: buffer.encodeOK(for: header))
      }
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

  /// Returns to the initial state: no resources, blank scanouts, no pending responses. The accepted features stay: a
  /// frontend may send the next driver's before the reset is detected.
  public func reset() {
    pendingAnswers.removeAll()
    leaving.settle(at: 0, isLost: { _ in true }, dropped: { destroy($0) }, answered: { _ in })
    resources.removeAll()
    chargedBytes = 0
    isStopped = false
    blankDeadlineNanoseconds = nil
    memoryRefusal = nil
    missingMemory = nil
    hasMissedScanout = false
    space.events = 0
    for scanout in scanouts {
      if !isDisplayAway {
        if scanout.cursor.isVisible { hideCursor(scanout) }
        if scanout.binding != nil || scanout.presented != nil { display.disable(scanout: scanout.index) }
        for pool in scanout.pools { for buffer in pool.buffers { display.destroyBuffer(buffer.host.id) } }
        for id in scanout.cursor.bufferIDs { display.destroyBuffer(id) }
      }
      forgetImports(scanout)
      scanout.reset()
    }
  }

  /// The memory table has changed: all pages are resolved again.
  public func memoryChanged() {
    for resource in resources.values { resource.backing?.resolve(memory) }
    // The same addresses may be other pages now: they are imported again for the next frame.
    for scanout in scanouts { forgetImports(scanout) }
    settleAnswers()
    retryFrames()
  }
}
