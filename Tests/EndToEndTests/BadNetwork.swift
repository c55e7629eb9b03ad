import Foundation
import Support

/// Tests/chaos/proxy.py between an agent and a coordinator.
final class BadNetwork {
    private let process = Process()
    private let control: String
    private(set) var url = ""

    /// - Parameter coordinator: its URL.
    init(in folder: String, to coordinator: String, seed: Int = 1) throws {
        control = "\(folder)/network-\(seed).json"
        try set(coordinator)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [TestPaths.repository.appending(path: "Tests/chaos/proxy.py").path, control, "\(seed)"]
        let pipe = Pipe()
        (process.standardOutput, process.standardInput) = (pipe, FileHandle.nullDevice)
        process.standardError = FileHandle.nullDevice
        try process.run()
        let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        url = "http://127.0.0.1:\(line.trimmingCharacters(in: .newlines))"
    }

    // It may have been told to ignore gentler signals, and what outlives the tests keeps their output open.
    deinit { kill(process.processIdentifier, SIGKILL) }

    /// - Parameters:
    ///   - coordinator: where requests go from now on.
    ///   - chaos: how often something happens to one.
    func set(_ coordinator: String, isCut: Bool = false, chaos: Double = 0) throws {
        let port = coordinator.split(separator: ":").last ?? ""
        try Data(#"{"upstream": \#(port), "cut": \#(isCut), "chaos": \#(chaos)}"#.utf8)
            .write(to: URL(fileURLWithPath: control), options: .atomic)
    }
}
