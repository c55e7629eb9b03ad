import Foundation

/// What the agent keeps of a job in its child's folder, where the job cannot see it, and the lease, which it can.
extension ChildProcess {
    var groupFile: URL { folder.appending(path: "group.json") }
    /// The control group that it was begun in.
    var group: ControlGroup? {
        (try? Data(contentsOf: groupFile)).flatMap { try? JSONDecoder().decode(ControlGroup.self, from: $0) }
    }
    private var settlementFile: URL { folder.appending(path: "settlement.json") }
    var settlement: Settlement? {
        (try? Data(contentsOf: settlementFile)).flatMap { try? JSONDecoder().decode(Settlement.self, from: $0) }
    }
    func write(_ settlement: Settlement) throws {
        try JSONEncoder().encode(settlement).write(to: settlementFile, options: .atomic)
    }

    private var targetFile: URL { folder.appending(path: "target") }
    /// What was in the output's place when the job began.
    var target: String? { try? String(contentsOf: targetFile, encoding: .utf8) }
    func remember(target: String) throws { try Data(target.utf8).write(to: targetFile, options: .atomic) }

    private var fenceFile: URL { folder.appending(path: "fenced") }
    /// Whether it was ended for its lease.
    var wasFenced: Bool { FileManager.default.fileExists(atPath: fenceFile.path) }
    /// Ends it for its lease, and remembers that first.
    func fence() {
        // Where it cannot be written, the job ends all the same, as one that was killed.
        _ = FileManager.default.createFile(atPath: fenceFile.path, contents: nil)
        signal(SIGKILL)
    }

    var leaseFile: URL { work.appending(path: "lease") }
    var lease: LeaseFile { LeaseFile(leaseFile.path) }
}
