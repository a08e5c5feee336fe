import FramepathGuest

// One grey picture on the screen of the first ivshmem device, or of the daemon whose socket is named.
let place: RegionPlace =
  CommandLine.arguments.count > 1 ? .daemon(CommandLine.arguments[1], name: "guest-in-swift") : .device(0)
do {
  let screen = try GuestScreen(place)
  let slot = try screen.acquire()
  guard let layout = screen.layout(width: 64, height: 48) else { throw GuestError.badFrame }
  slot.pixels.initializeMemory(as: UInt8.self, repeating: 0x80)
  try screen.present(slot, layout)
  try screen.waitUntilHeld(atMost: 1)
  print("presented")
} catch {
  print("\(error)")
}
