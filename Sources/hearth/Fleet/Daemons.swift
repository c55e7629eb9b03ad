import ArgumentParser
import Foundation
import HearthAgent
import HearthCompute
import HearthCoordinator
import HearthFleet
import Logging

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator", abstract: "Serve the coordinator, or copy its state.",
        subcommands: [Run.self, BackupCommand.self, RestoreCommand.self], defaultSubcommand: Run.self)

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Serve REST, dashboard and metrics (the default).")

        @Option(help: "Settings (YAML), for example /etc/hearth/coordinator.yaml.") var config: String?
        @Option(help: "HOST:PORT; port 0 takes a free one.") var listen: String?
        @Option(help: "Folder for database and token.") var state: String?

        func run() async throws {
            var settings = try ConfigFile.read(config, CoordinatorConfig()) {
                try CoordinatorConfig.parse(yaml: $0, file: $1)
            }
            settings.listen = listen ?? settings.listen
            settings.state = state ?? settings.state
            try await Coordinator(config: settings, logger: Log.make("coordinator")).run()
        }
    }

    struct BackupCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backup",
            abstract:
                "Copy database, keys and token into a new folder, while the coordinator runs or not; the copy is checked."
        )

        @Argument(help: "The new folder. It holds keys: keep it as the state folder is kept.") var folder: String
        @Option(help: "The coordinator's state folder.") var state = CoordinatorConfig().state

        func run() async throws {
            let leaves = try await Backup.make(of: state, in: folder)
            Terminal.out("\(folder): a coordinator with \(leaves) leaves in its ledger")
        }
    }

    struct RestoreCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "restore", abstract: "Make a new state folder of a backup; the copy is checked.")

        @Argument(help: "The backup.") var folder: String
        @Option(help: "The state folder; there must be none, or an empty one.") var state = CoordinatorConfig().state

        func run() async throws {
            let leaves = try await Backup.restore(folder, to: state)
            Terminal.out("\(state): a coordinator with \(leaves) leaves in its ledger")
        }
    }
}

extension SandboxMode: ExpressibleByArgument {}

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Run the node agent: measure devices, run jobs, report.")

    @Option(help: "Settings (YAML), for example /etc/hearth/agent.yaml.") var config: String?
    @Option(help: "Coordinator's address, http://HOST:PORT.") var coordinator: String?
    @Option(help: "HOST:PORT of the agent's own metrics.") var listen: String?
    @Option(help: "Folder for spool and jobs.") var state: String?
    @Option(help: "The coordinator's token file.") var tokenFile: String?
    @Option(help: "The node's name; the host's when left out.") var name: String?
    @Option(
        help: "Where this node is and which labels it trusts (YAML); /etc/hearth/admission.yaml where there is one.")
    var admission: String?
    @Option(help: "auto, required or off: whether jobs see only what is theirs (bubblewrap).") var sandbox: SandboxMode?
    @Option(help: "Comma-separated devices to measure; the CPU and hardware GPUs when left out.") var devices: String?

    func run() async throws {
        var settings = try ConfigFile.read(config, AgentConfig()) { try AgentConfig.parse(yaml: $0, file: $1) }
        settings.coordinator = coordinator ?? settings.coordinator
        settings.listen = listen ?? settings.listen
        settings.state = state ?? settings.state
        settings.tokenFile = tokenFile ?? settings.tokenFile
        settings.name = name ?? settings.name
        settings.admission = admission ?? settings.admission
        settings.sandbox = sandbox ?? settings.sandbox
        settings.devices = devices.map { $0.split(separator: ",").map(String.init) } ?? settings.devices
        let cache = CacheFolder.url
        try? FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
        try await Agent(config: settings, cacheFolder: cache.path, logger: Log.make("agent")).run()
    }
}

enum ConfigFile {
    static func read<Config>(_ path: String?, _ standard: Config, parse: (String, String) throws -> Config) throws
        -> Config
    {
        guard let path else { return standard }
        return try parse(try ConfigError.text(path), path)
    }
}

/// Logs on standard error: text on a terminal, one JSON object a line elsewhere.
enum Log {
    static func make(_ label: String) -> Logger {
        Logger(label: label) { label -> any LogHandler in
            if isatty(2) == 1 { return StreamLogHandler.standardError(label: label) }
            return JSONLogHandler(label: label)
        }
    }
}

struct JSONLogHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = ["level": event.level.rawValue, "logger": label, "message": "\(event.message)"]
        fields["time"] = Date().formatted(.iso8601)
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
            fields[key] = "\(value)"
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(fields) else { return }
        Terminal.error(String(decoding: data, as: UTF8.self))
    }
}
