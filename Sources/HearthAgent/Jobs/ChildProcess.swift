import CProcess
import Foundation

/// Starts programs of this same binary in their own session, so that they outlive the agent and not the other way round.
///
/// A child holds an exclusive lock on its folder's `lock` file from before it runs until it ends, however it ends:
/// the kernel releases it with the last descriptor. Whether a child lives is asked of that lock, never of a process id,
/// so the answer is right after the agent was restarted and after ids were used again.
struct ChildProcess: Sendable {
    let folder: URL

    private var lockFile: String { folder.appending(path: "lock").path }
    private var pidFile: URL { folder.appending(path: "pid") }
    var logFile: URL { folder.appending(path: "log") }
    /// What the child itself may see and write: nothing that the agent acts by is there.
    var work: URL { folder.appending(path: "work") }
    var resultFile: URL { work.appending(path: "result.json") }

    /// Made by the child's start and by nothing else.
    var wasStarted: Bool { FileManager.default.fileExists(atPath: logFile.path) }

    /// Starts `hearth ARGUMENTS` with output to `logFile`.
    ///
    /// - Parameter wrap: what becomes the command in place of the program and its arguments.
    /// - Throws: `ChildError` when it cannot be started.
    func start(_ arguments: [String], wrap: (_ command: [String]) throws -> [String] = { $0 }) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let lock = open(lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw ChildError("cannot lock \(lockFile)") }
        defer { close(lock) }

        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let command = try wrap([program] + arguments)
        var argv: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        let status = cprocess_spawn(&argv, logFile.path, lock, &pid)
        guard status == 0 else { throw ChildError("\(command[0]): \(String(cString: strerror(status)))") }
        try Data("\(pid)".utf8).write(to: pidFile, options: .atomic)
    }

    /// True while the child, or something it started and left behind, holds the lock.
    var isAlive: Bool {
        let lock = open(lockFile, O_RDWR | O_CLOEXEC)
        guard lock >= 0 else { return false }
        defer { close(lock) }
        return flock(lock, LOCK_SH | LOCK_NB) != 0
    }

    /// Signals the child's whole session. Only while it is alive: the id is then still its own.
    func signal(_ number: Int32) {
        guard isAlive, let pid = processID else { return }
        kill(-pid, number)
    }

    private var processID: pid_t? { (try? String(contentsOf: pidFile, encoding: .utf8)).flatMap { pid_t($0) } }

    /// The signal that ended the child, if it was this process's child and ended by one. Reaps it.
    func terminationSignal() -> Int32? {
        var status: Int32 = 0
        guard let pid = processID, waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let number = status & 0x7f
        return number == 0 ? nil : number
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    /// Waits until the child ends or the deadline passes; past it the session is killed.
    ///
    /// - Returns: false when it had to be killed.
    func wait(deadlineSeconds: Double) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(deadlineSeconds)
        while isAlive {
            if ContinuousClock.now >= deadline {
                signal(SIGKILL)
                _ = terminationSignal()
                return false
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        _ = terminationSignal()
        return true
    }
}

struct ChildError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
