public import GuestMemory
public import LinuxIO
public import Virtio

/// Faults of a frontend's messages, or of its VM.
///
/// Messages that break the protocol end the session. Faults of the VM's settings or driver (`isOfTheVM`) stop the rings
/// and keep the connection.
public enum VhostUserError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The header's version is not 1, or it is marked as a reply.
  case badFlags(request: UInt32, flags: UInt32)
  /// The payload is longer than 4096 bytes.
  case payloadTooLong(request: UInt32, byteCount: UInt32)
  /// The payload's length or content does not fit the request.
  case badPayload(request: Request, byteCount: Int)
  /// The connection ended inside a message.
  case truncated(receivedByteCount: Int)
  /// More descriptors than the request may carry.
  case tooManyFDs(request: Request, count: Int)
  /// Descriptors in the middle of a message, or more than 64.
  case misplacedFDs
  /// A descriptor is missing.
  case missingFD(request: Request)
  /// The frontend accepted features that were not offered.
  case notOffered(protocolFeatures: UInt64)
  /// The request names a ring that the device does not have.
  case noSuchQueue(request: Request, index: UInt32, count: Int)
  /// The driver accepted packed rings, which are not served.
  case packedRings
  /// SET_VRING_BASE above 65535.
  case badVringBase(index: Int, base: UInt32)
  /// SET_VRING_ENABLE with a number other than 0 or 1.
  case badVringEnable(index: Int, number: UInt32)
  /// SET_VRING_NUM or SET_VRING_BASE on a started ring.
  case queueRunning(request: Request, index: Int)
  /// SET_VRING_KICK without a descriptor: the ring would have to be polled.
  case pollingNotSupported(index: Int)
  /// A ring, or a chain on it, breaks the rules.
  case queue(index: Int, VirtqueueError)
  /// The memory table was refused.
  case memory(GuestMemoryError)
  /// The frontend does not read its replies.
  case frontendNotReading
  /// A system call failed.
  case system(SystemError)

  /// Whether the VM's settings or driver are at fault, not the frontend's messages.
  ///
  /// QEMU aborts, or fills its log without end, when a backend closes the connection over such a fault.
  public var isOfTheVM: Bool {
    switch self {
    case .packedRings, .badVringBase, .queue, .memory: true
    default: false
    }
  }

  /// A message for the log, with the numbers.
  public var description: String {
    switch self {
    case .badFlags(let request, let flags): "vhost-user request \(request) has flags 0x\(String(flags, radix: 16))"
    case .payloadTooLong(let request, let byteCount):
      "vhost-user request \(request) has \(byteCount) bytes, more than \(MessageHeader.maxPayloadByteCount)"
    case .badPayload(let request, let byteCount):
      "\(request) (\(request.rawValue)) with \(byteCount) bytes is malformed"
    case .truncated(let byteCount): "the frontend closed the connection \(byteCount) bytes into a message"
    case .tooManyFDs(let request, let count):
      "\(request) (\(request.rawValue)) with \(count) descriptors, more than \(request.maxFDCount)"
    case .misplacedFDs: "descriptors inside a message, or more than 64"
    case .missingFD(let request): "\(request) (\(request.rawValue)) lacks a descriptor"
    case .notOffered(let bits): "protocol features 0x\(String(bits, radix: 16)) were accepted but not offered"
    case .noSuchQueue(let request, let index, let count):
      "\(request) (\(request.rawValue)) names queue \(index) of \(count)"
    case .packedRings: "the guest's driver uses packed rings, which are not served: set packed=off on the device"
    case .badVringBase(let index, let base): "queue \(index) was given the base \(base), which is above 65535"
    case .badVringEnable(let index, let number): "queue \(index) was enabled with \(number) instead of 0 or 1"
    case .queueRunning(let request, let index): "\(request) (\(request.rawValue)) on queue \(index), which is running"
    case .pollingNotSupported(let index): "queue \(index) has no kick descriptor"
    case .queue(let index, let error): "queue \(index): \(error)"
    case .memory(let error): "\(error)"
    case .frontendNotReading: "the frontend does not read its replies"
    case .system(let error): "\(error)"
    }
  }
}
