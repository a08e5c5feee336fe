import ArgumentParser
import CommandSupport
import LinuxIO
import TestSupport
import Testing

@testable import framepath
@testable import framepath_bench
@testable import framepath_guest
@testable import framepath_ivshmem
@testable import framepath_vhost_user_gpu
@testable import framepathd

/// The programs' help and version output.
@Suite(.timeLimit(.minutes(1)))
struct CommandLineTests {
  private static let programs: [(name: String, root: any ParsableCommand.Type)] = [
    ("framepath", Framepath.self), ("framepath-bench", FramepathBenchTool.self),
    ("framepath-guest", FramepathGuestTool.self), ("framepath-ivshmem", FramepathIvshmem.self),
    ("framepath-vhost-user-gpu", Backend.self), ("framepathd", Framepathd.self),
  ]

  /// A command and all below it.
  private func tree(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
    [command] + command.configuration.subcommands.flatMap { tree($0) }
  }

  /// Our program that these arguments run, and its own arguments; nil for another program.
  private func parser(_ words: [String]) -> (any ParsableCommand.Type, [String])? {
    var words = words
    guard let name = words.first else { return nil }
    if words.prefix(2) == ["framepath", "bench"] { words = ["framepath-bench"] + words.dropFirst(2) }
    guard let program = CommandLineTests.programs.first(where: { $0.name == words[0] }) else {
      #expect(!name.hasPrefix("framepath"), "there is no program \(name)")
      return nil
    }
    return (program.root, Array(words.dropFirst()))
  }

  @Test func `every example of every command's help is accepted as printed`() throws {
    var checked = 0
    for (name, root) in CommandLineTests.programs {
      for command in tree(root) {
        for example in HelpExample.all(of: command, in: root) {
          let ours = example.commands.compactMap { parser($0) }
          #expect(!ours.isEmpty, "\(name): \(example)")
          for (program, arguments) in ours {
            checked += 1
            #expect(throws: Never.self, "\(name): \(example)") { _ = try program.parseAsRoot(arguments) }
          }
        }
      }
    }
    #expect(checked > 45)
  }

  @Test func `a broken example is noticed`() throws {
    let wrapped = HelpExample("framepath lease --output HDMI-A-1 sh -c 'exec player")
    #expect(wrapped.commands == [["framepath", "lease", "--output", "HDMI-A-1", "sh", "-c", "exec player"]])
    let nested = HelpExample("qemu -drive file=\"a b\" $(framepath qemu-args --vmm web) | less &")
    #expect(
      nested.commands == [
        ["framepath", "qemu-args", "--vmm", "web"], ["qemu", "-drive", "file=a b", "substituted"], ["less"],
      ])
    let (program, arguments) = try #require(parser(nested.commands[0]))
    #expect(throws: (any Error).self) { _ = try program.parseAsRoot(arguments) }
  }

  // framepathd runs framepathd-config, which has no other options.
  @Test(arguments: programs.map { $0.name } + ["framepathd-config"])
  func `every program prints the package's version`(name: String) throws {
    let result = try Programs.run(name, ["--version"])
    #expect(result.exit.isSuccess)
    #expect(result.output == "\(ProgramVersion.text)\n")
    #expect(ProgramVersion.text.hasPrefix("\(ProgramVersion.current) (daemon protocol "))
  }
}
