import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// Buffers of an output's size that the CPU draws into. The front buffer is on screen or in the pending commit, the
/// back buffer is drawn for the next commit.
///
/// Two are enough, because at most one commit is pending and nothing is drawn during it. A third buffer, created when
/// needed, holds a picture that is drawn ahead of its commit.
struct SwapChain {
  /// A buffer and a mapping to draw into it. `ScanoutBuffer.mapped` is for reading only.
  struct Buffer {
    let buffer: any ScanoutBuffer
    let mapped: MappedBuffer
  }

  /// The initial number of buffers.
  static let bufferCount = 2

  private var buffers: [Buffer]
  private(set) var frontIndex = 0
  /// The index of the back buffer.
  private(set) var backIndex = 1
  /// The index of the buffer that is drawn ahead; nil until it is created.
  private(set) var aheadIndex: Int?

  init(_ output: any Output, width: Int, height: Int) throws(OutputError) {
    buffers = []
    for _ in 0..<SwapChain.bufferCount {
      buffers.append(try SwapChain.makeBuffer(output, width: width, height: height))
    }
  }

  private static func makeBuffer(_ output: any Output, width: Int, height: Int) throws(OutputError) -> Buffer {
    let buffer = try output.makeBuffer(width: width, height: height, format: .xrgb8888)
    let fd = try buffer.descriptor()
    do throws(SystemError) {
      let mapped = try MappedBuffer(
        fd: SharedFD(fd), kind: buffer.memoryKind, layout: buffer.layout, byteCount: buffer.byteCount)
      return Buffer(buffer: buffer, mapped: mapped)
    } catch {
      throw .system(error)
    }
  }

  var bounds: Rect { buffers[0].mapped.layout.bounds }
  var front: Buffer { buffers[frontIndex] }
  var back: Buffer { buffers[backIndex] }

  subscript(index: Int) -> Buffer { buffers[index] }

  /// Creates the buffer that is drawn ahead.
  mutating func addAhead(_ output: any Output) throws(OutputError) {
    let made = try SwapChain.makeBuffer(output, width: bounds.width, height: bounds.height)
    aheadIndex = buffers.count
    buffers.append(made)
  }

  /// Exchanges the back buffer and the buffer that is drawn ahead.
  mutating func promoteAhead() {
    guard let ahead = aheadIndex else { return }
    aheadIndex = backIndex
    backIndex = ahead
  }

  /// Exchanges the front and back buffers after a commit.
  mutating func swap() { (frontIndex, backIndex) = (backIndex, frontIndex) }
}
