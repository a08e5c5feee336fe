import FrameScheduler

extension Presenter {
  /// One tile's part of a picture.
  struct PictureEntry {
    var view: VMID
    var frame: SurfaceFrame
    var cursor: SurfaceCursor?
    /// The position of the frame's first pixel on the output.
    var originX: Int
    var originY: Int
    /// The surface whose client has not been sent the flip yet; nil if it has.
    var reportTo: Surface?
  }

  /// The content of one commit; blank without entries. Every frame and cursor in it is a use of its buffer.
  struct Picture {
    var entries: [PictureEntry] = []
    /// Whether it was composed of tiles, each clipped to its rectangle.
    var isTiled = false

    init() { entries.reserveCapacity(4) }
    private init(entries: [PictureEntry]) { self.entries = entries }

    /// An empty placeholder without storage.
    static var none: Picture { Picture(entries: []) }

    /// Adds a view's frame and its cursor; each is a use of its buffer.
    mutating func add(_ frame: SurfaceFrame, of view: SurfaceView, originX: Int, originY: Int) {
      frame.buffer.beginUse()
      view.cursor?.buffer.beginUse()
      let isDue = view.staged.map { !$0.isReported } ?? false
      entries.append(
        PictureEntry(
          view: view.id, frame: frame, cursor: view.cursor, originX: originX, originY: originY,
          reportTo: isDue ? view.surface : nil))
    }

    func entry(of view: VMID) -> PictureEntry? {
      for entry in entries where entry.view == view { return entry }
      return nil
    }

    /// The frame's number, read without moving the frame.
    func frameNumber(of view: VMID) -> UInt64? {
      for index in entries.indices where entries[index].view == view { return entries[index].frame.number }
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
