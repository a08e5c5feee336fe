import FrameScheduler

extension Presenter {
  /// What one tile contributes to a picture.
  struct PictureEntry {
    var tile: VMID
    var frame: Frame
    var cursor: Cursor?
    /// Where the frame's first pixel lies on the output.
    var originX: Int
    var originY: Int
    /// Whose client still has to be told that the frame is on screen.
    var reportTo: Surface?
  }

  /// What was committed together; no entry is a blank screen. Every frame and cursor in it is a use of its buffer.
  struct Picture {
    var entries: [PictureEntry] = []
    /// Whether tiles were painted into it, each cut at its own edge.
    var isTiled = false

    init() { entries.reserveCapacity(4) }
    private init(entries: [PictureEntry]) { self.entries = entries }

    /// Stands where a picture was taken from; without storage.
    static var none: Picture { Picture(entries: []) }

    /// Adds a view's frame and its cursor; each is a use of its buffer.
    mutating func add(_ frame: Frame, of view: Tile, originX: Int, originY: Int) {
      frame.buffer.beginUse()
      view.cursor?.buffer.beginUse()
      let isDue = view.staged.map { !$0.isReported } ?? false
      entries.append(
        PictureEntry(
          tile: view.id, frame: frame, cursor: view.cursor, originX: originX, originY: originY,
          reportTo: isDue ? view.head : nil))
    }

    func entry(of tile: VMID) -> PictureEntry? {
      for entry in entries where entry.tile == tile { return entry }
      return nil
    }

    /// The number alone, without moving the frame.
    func frameNumber(of tile: VMID) -> UInt64? {
      for index in entries.indices where entries[index].tile == tile { return entries[index].frame.number }
      return nil
    }

    mutating func endUse() {
      for entry in entries {
        entry.frame.buffer.endUse()
        entry.cursor?.buffer.endUse()
      }
      entries.removeAll(keepingCapacity: true)
      isTiled = false
    }
  }
}
