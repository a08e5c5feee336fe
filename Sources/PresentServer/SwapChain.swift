import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// Two buffers of an output's size that the CPU draws into: the front one is on screen or on its way there, the back one
/// is free.
///
/// Two are enough, because at most one commit is under way and nothing is drawn while it is.
struct SwapChain {
  /// A buffer and a mapping to draw into it. `ScanoutBuffer.mapped` is for reading only.
  struct Buffer {
    let buffer: any ScanoutBuffer
    let mapped: MappedBuffer
  }

  static let bufferCount = 2

  private let buffers: [Buffer]
  /// The index of the buffer to draw into.
  private(set) var backIndex = 1

  init(_ output: any Output, width: Int, height: Int) throws(OutputError) {
    var made: [Buffer] = []
    for _ in 0..<SwapChain.bufferCount {
      let buffer = try output.makeBuffer(width: width, height: height, format: .xrgb8888)
      let fd = try buffer.descriptor()
      do throws(SystemError) {
        let mapped = try MappedBuffer(
          fd: SharedFD(fd), kind: buffer.memoryKind, layout: buffer.layout, byteCount: buffer.byteCount)
        made.append(Buffer(buffer: buffer, mapped: mapped))
      } catch {
        throw .system(error)
      }
    }
    buffers = made
  }

  var bounds: Rect { buffers[0].mapped.layout.bounds }
  var front: Buffer { buffers[backIndex ^ 1] }
  var back: Buffer { buffers[backIndex] }

  /// The back buffer was committed.
  mutating func swap() { backIndex ^= 1 }
}
