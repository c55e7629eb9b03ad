import Foundation
import Support

/// The `hearth` program as its users run it.
enum Program {
    struct Result {
        let status: Int32
        let out: String
        let error: String
    }

    /// Runs it to its end. A test that hangs is killed after `deadline` seconds and gives status -1.
    static func run(_ arguments: [String], environment: [String: String] = [:], deadline: Double = 120) throws -> Result
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestPaths.hearth)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        return try finish(process, deadline)
    }

    static func tool(_ path: String, _ arguments: [String], input: String = "", deadline: Double = 60) throws -> Result
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        return try finish(process, deadline, input: input)
    }

    private static func finish(_ process: Process, _ deadline: Double, input: String = "") throws -> Result {
        // Files rather than pipes: nothing blocks however much is printed.
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in ["in", "out", "error"] {
            try Data(name == "in" ? input.utf8 : "".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        process.standardInput = FileHandle(forReadingAtPath: folder + "/in")
        process.standardOutput = FileHandle(forWritingAtPath: folder + "/out")
        process.standardError = FileHandle(forWritingAtPath: folder + "/error")
        try process.run()
        let end = Date().addingTimeInterval(deadline)
        while process.isRunning, Date() < end { usleep(5_000) }
        let inTime = !process.isRunning
        if !inTime { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        let status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        return Result(
            status: inTime ? status : -1, out: (try? String(contentsOfFile: folder + "/out", encoding: .utf8)) ?? "",
            error: (try? String(contentsOfFile: folder + "/error", encoding: .utf8)) ?? "")
    }
}

/// A coordinator and an agent of one test, on free ports, in a folder of their own.
final class Fleet {
    let folder: String
    private var processes: [String: Process] = [:]

    init() throws { folder = try TestPaths.temporaryFolder() }

    deinit {
        for process in processes.values where process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    var tokenFile: String { folder + "/coordinator/token" }
    private(set) var coordinatorURL = "http://127.0.0.1:0"
    private(set) var agentURL = ""

    struct StartFailure: Error { let log: String }

    /// Starts a daemon and waits until it listens.
    private func start(_ name: String, _ arguments: [String]) throws -> String {
        let address = "\(folder)/\(name)/address"
        try? FileManager.default.removeItem(atPath: address)
        let log = "\(folder)/\(name).log"
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestPaths.hearth)
        process.arguments = [name, "--state", "\(folder)/\(name)"] + arguments
        let handle = FileHandle(forWritingAtPath: log)
        _ = try handle?.seekToEnd()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        processes[name] = process
        for _ in 0..<1500 {
            if let url = try? String(contentsOfFile: address, encoding: .utf8) { return url }
            guard process.isRunning else { break }
            usleep(10_000)
        }
        throw StartFailure(log: (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
    }

    /// Keeps its port from the first start on.
    ///
    /// - Parameter settings: lines of a coordinator.yaml.
    func startCoordinator(settings: String? = nil) throws {
        let config = try settings.map { ["--config", try write("coordinator.yaml", $0)] } ?? []
        let listen = String(coordinatorURL.split(separator: "/").last ?? "")
        coordinatorURL = try start("coordinator", config + ["--listen", listen])
    }

    /// Makes the agent's state folder that of node `name`, by a fresh token. - Returns: the token.
    func join(_ name: String) throws -> String {
        let token = try hearth("invite", name).out.trimmingCharacters(in: .whitespacesAndNewlines)
        let joined = try hearth("join", token, "--coordinator", coordinatorURL, "--state", "\(folder)/agent")
        guard joined.status == 0 else { throw StartFailure(log: joined.error) }
        return token
    }

    func log(_ name: String) -> String { (try? String(contentsOfFile: "\(folder)/\(name).log", encoding: .utf8)) ?? "" }

    /// - Parameter settings: lines of an agent.yaml.
    func startAgent(devices: String = "cpu", settings: String? = nil) throws {
        let config = try settings.map { ["--config", try write("agent.yaml", $0)] } ?? []
        agentURL = try start(
            "agent",
            config + [
                "--listen", "127.0.0.1:0", "--coordinator", coordinatorURL, "--token-file", tokenFile, "--name", "n1",
                "--devices", devices,
            ])
    }

    func pid(_ name: String) -> Int32 { processes[name]?.processIdentifier ?? 0 }

    func kill(_ name: String) {
        guard let process = processes[name], process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Asks a daemon to stop. - Returns: its exit status.
    func stop(_ name: String) -> Int32 {
        guard let process = processes[name], process.isRunning else { return -1 }
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }

    func hearth(_ arguments: String..., deadline: Double = 120) throws -> Program.Result {
        try Program.run(
            arguments,
            environment: [
                "HEARTH_COORDINATOR": coordinatorURL, "HEARTH_TOKEN_FILE": tokenFile,
                "HEARTH_AUTHORITY": "\(folder)/coordinator/authority.pem",
            ],
            deadline: deadline)
    }

    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
    }

    func generateSpec(tokens: Int) throws -> String {
        try write(
            "generate.yaml",
            "kind: generate\nname: g\nmodel: \(TestPaths.model ?? "")\nprompt: Once upon a time\nmaxTokens: \(tokens)\ndevice: cpu\n"
        )
    }
}
