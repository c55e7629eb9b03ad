import ArgumentParser
import Foundation
import HearthFleet

@main
struct Hearth: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hearth",
        abstract: "Run models on this server's own hardware, and make a set of servers accountable.",
        version: HearthVersion.current,
        subcommands: [
            Generate.self, Chat.self, Serve.self, Devices.self, ProbeCommand.self, Tune.self, Bench.self,
            RunCommand.self,
            CoordinatorCommand.self,
            AgentCommand.self, Submit.self, Nodes.self, Jobs.self, Explain.self, Logs.self, Cancel.self, Invite.self,
            Join.self, UserCommand.self,
            Drain.self, Resume.self, Lost.self, Bar.self, Unbar.self, Doctor.self, DataCommand.self,
            LedgerCommand.self, GraphicsCommand.self,
        ])

    /// Parses, runs, and ends with the exit code that fits the failure.
    static func main() async {
        // A closed pipe is an error of the write, not the end of a daemon.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            ExitStatus.end(with: error, of: self)
        }
    }
}
