import Foundation
import HearthFleet
import Support
import Testing

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

    /// Of daemons that are started from now on.
    var environment: [String: String] = [:]

    /// Starts a daemon and waits until it listens.
    ///
    /// - Parameter name: `coordinator`, `agent`, or one of these and a number: another one of its kind.
    private func start(_ name: String, _ arguments: [String]) throws -> String {
        let address = "\(folder)/\(name)/address"
        try? FileManager.default.removeItem(atPath: address)
        let log = "\(folder)/\(name).log"
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestPaths.hearth)
        process.arguments = [name.filter(\.isLetter), "--state", "\(folder)/\(name)"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
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

    /// - Parameters:
    ///   - number: of the agent; the first's state folder is `agent`, the others' have their number.
    ///   - coordinator: by which address it goes; nil: the coordinator's own.
    ///   - settings: lines of an agent.yaml.
    func startAgent(
        _ number: Int = 1, devices: String = "cpu", to coordinator: String? = nil, settings: String? = nil
    ) throws {
        let name = number == 1 ? "agent" : "agent\(number)"
        let config = try settings.map { ["--config", try write("\(name).yaml", $0)] } ?? []
        agentURL = try start(
            name,
            config + [
                "--listen", "127.0.0.1:0", "--coordinator", coordinator ?? coordinatorURL, "--token-file", tokenFile,
                "--name", "n\(number)", "--devices", devices,
            ])
    }

    /// Copies the coordinator's state as it is now, for `startCopy`.
    func copyCoordinator() throws {
        try FileManager.default.copyItem(atPath: "\(folder)/coordinator", toPath: "\(folder)/coordinator2")
    }

    /// A second coordinator, over the copy. - Returns: its URL.
    func startCopy() throws -> String {
        return try start("coordinator2", ["--listen", "127.0.0.1:0"])
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

    /// What the coordinator answers an operator; nothing where it refuses.
    func get(_ path: String) throws -> String {
        let token = try String(contentsOfFile: tokenFile, encoding: .utf8).trimmingCharacters(in: .newlines)
        return try Program.tool(
            "/usr/bin/curl", ["-fsS", "-H", "Authorization: Bearer \(token)", coordinatorURL + path]
        ).out
    }

    func job(_ id: String) throws -> JobRecord {
        let answer = try get("/v1/jobs/\(id)")
        do { return try JSONDecoder().decode(JobRecord.self, from: Data(answer.utf8)) } catch {
            throw StartFailure(log: answer)
        }
    }

    func nodes() throws -> [NodeRecord] {
        try JSONDecoder().decode([NodeRecord].self, from: Data(try hearth("nodes", "--json").out.utf8))
    }

    /// Nodes that are there and well.
    func healthyCount() throws -> Int { try nodes().count { $0.isConnected && $0.health == .healthy } }

    func wait(_ seconds: Double, for condition: () throws -> Bool) throws {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if try condition() { return }
            usleep(50_000)
        }
        Issue.record("waited \(seconds) s in vain")
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
