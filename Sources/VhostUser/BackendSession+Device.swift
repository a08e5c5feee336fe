import LinuxIO

extension BackendSession {
  /// An empty reply means that the range is outside the config space.
  func getConfig() throws(VhostUserError) {
    guard var access = connection.parse({ ConfigAccess($0) }) else { throw badPayload(.getConfig) }
    // SAFETY: the buffer is used inside the closure only.
    let isInside = unsafe access.bytes.withUnsafeMutableBytes { buffer in
      unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
      return unsafe device.readConfig(at: Int(access.offset), into: buffer)
    }
    try connection.reply(isInside ? access.encoded : [])
  }

  func setConfig() throws(VhostUserError) {
    guard let access = connection.parse({ ConfigAccess($0) }) else { throw badPayload(.setConfig) }
    // SAFETY: the buffer is used inside the closure only.
    let isInside = unsafe access.bytes.withUnsafeBytes { unsafe device.writeConfig(at: Int(access.offset), $0) }
    if !isInside {
      report("the guest wrote \(access.bytes.count) bytes at \(access.offset) of the config space, which is outside")
    }
  }

  func setBackendRequestFD() throws(VhostUserError) {
    guard let fd = connection.fds.take(0) else { throw .missingFD(request: .setBackendRequestFD) }
    do throws(SystemError) {
      try fd.setNonblocking()
    } catch {
      throw .system(error)
    }
    backendChannel = UnixSocket(taking: fd)
  }

  /// Sent at every start of vhost-user-gpu, each time with another socket.
  func setGPUSocket() throws(VhostUserError) {
    guard let fd = connection.fds.take(0) else { throw .missingFD(request: .gpuSetSocket) }
    do throws(SystemError) {
      gpuSocket = try GPUSocket(UnixSocket(taking: fd), loop: loop) { [weak self] in
        self?.device.displayConnected(false)
      }
    } catch {
      throw .system(error)
    }
    device.displayConnected(true)
  }
}
