extension CardFacts {
  /// The findings on all cards.
  ///
  /// - Parameter user: the user's name, for advice.
  public static func findings(_ cards: [CardFacts], user: String) -> [Finding] {
    let screens = cards.filter { !$0.connectors.isEmpty }
    guard !screens.isEmpty else {
      return [
        Finding(
          .note, "cards", cards.isEmpty ? "no DRM card" : "no DRM card with a connector",
          advice: """
            Without one only headless outputs work (framepathd --output headless:1920x1080@60). \
            A GPU's driver makes the card; in a VM, cirrus, bochs, virtio-gpu and vkms do.
            """)
      ]
    }
    return screens.flatMap { $0.findings(user: user) }
  }

  private func findings(user: String) -> [Finding] {
    [nodeFinding(user: user), masterFinding] + connectorFindings
  }

  private func nodeFinding(user: String) -> Finding {
    guard let nodePermissions else {
      return Finding(
        .problem, path, "driver \(driver), but there is no device node",
        advice: "In a container, pass the device in (--device \(path)); else check udev.")
    }
    guard mayOpen else {
      return Finding(
        .problem, path, "driver \(driver), but you (\(user)) may not open it (\(nodePermissions))",
        advice: "sudo usermod -aG \(nodeGroup) \(user), then log in again.")
    }
    let seen = "driver \(driver), you may open it (\(nodePermissions))"
    guard let opened else { return Finding(.ok, path, seen) }
    if let unsuitable = opened.unsuitable {
      return Finding(.problem, path, "\(seen), but Framepath cannot use it: \(unsuitable)")
    }
    let writeback = opened.hasWriteback ? ", has a writeback connector" : ""
    return opened.importsBuffers
      ? Finding(.ok, path, "\(seen), reports that it imports buffers\(writeback)")
      : Finding(
        .note, path, "\(seen)\(writeback), cannot import buffers: every frame on it is copied once",
        advice: "Nothing: the driver does not support it.")
  }

  private var masterFinding: Finding {
    let topic = "\(name) master"
    switch master {
    case .process(let process) where process.name == "framepathd":
      return Finding(.ok, topic, "\(process) drives the outputs")
    case .process(let process):
      return Finding(
        .problem, topic, "\(process) is DRM master: framepathd cannot drive the outputs",
        advice: "End it (a desktop: sudo systemctl isolate multi-user.target), or give framepathd another card.")
    case .nobody:
      return Finding(.ok, topic, "no process is DRM master: the outputs are free")
    case .unknown where opened?.isFree == true:
      return Finding(.ok, topic, "no process is DRM master: the outputs are free")
    case .unknown where opened?.isFree == false:
      if let daemon = holders.first(where: { $0.name == "framepathd" }) {
        return Finding(.ok, topic, "\(daemon) drives the outputs")
      }
      let list = holders.map(\.description).joined(separator: ", ")
      let who = list.isEmpty ? "another user's program" : list
      return Finding(
        .problem, topic, "\(who) is DRM master: framepathd cannot drive the outputs",
        advice: "End it. sudo framepath doctor can identify it (debugfs mounted at /sys/kernel/debug).")
    case .unknown:
      let others = holders.filter { $0.name != "framepathd" }
      guard others.isEmpty else {
        let list = others.map(\.description).joined(separator: ", ")
        return Finding(
          .note, topic, "open in \(list), one of which may be DRM master",
          advice: "sudo framepath doctor names the master (debugfs mounted at /sys/kernel/debug).")
      }
      return Finding(
        .note, topic, "unknown: only root can read it in debugfs",
        advice: "sudo framepath doctor (debugfs mounted at /sys/kernel/debug).")
    }
  }

  private var connectorFindings: [Finding] {
    let listed = connectors.map { connector in
      switch connector.isConnected {
      case true: "\(connector.name) has a monitor (\(connector.preferredMode ?? "no modes"))"
      case false: "\(connector.name) has no monitor"
      case nil: "\(connector.name) cannot detect a monitor"
      }
    }
    let isAnyConnected = connectors.contains { $0.isConnected != false }
    return [
      Finding(
        isAnyConnected ? .ok : .note, "\(name) connectors", listed.joined(separator: ", "),
        advice: isAnyConnected ? nil : "Plug in a monitor; a running framepathd adds it. Or use a headless output.")
    ]
  }
}
