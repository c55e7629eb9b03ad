import Foundation
import HearthFleet

/// The output of one attempt, beside where it belongs: it gets there whole, at the end, and only where no other attempt has taken this one's place.
package struct StagedOutput: Sendable {
    /// As the job names it, and what that leads to.
    package let path: String
    private let target: String
    package let staged: String

    /// nil for a job without an output.
    package init?(_ assignment: Assignment) {
        guard let path = assignment.spec.output else { return nil }
        self.path = path
        target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let folder = URL(fileURLWithPath: target).deletingLastPathComponent().path
        let name = URL(fileURLWithPath: target).lastPathComponent
        staged = "\(folder)/.\(name).\(assignment.job)-\(assignment.attempt)"
    }

    /// Lays it out with what is there already: a job goes on where an earlier one ended.
    ///
    /// - Throws: `ChildError` where there is something that is no file, or nothing can be written.
    package func prepare() throws {
        try? FileManager.default.removeItem(atPath: staged)
        var status = stat()
        let found = stat(target, &status) == 0
        guard !found || status.st_mode & S_IFMT == S_IFREG else { throw ChildError("output: \(path): is no file") }
        if found {
            do { return try FileManager.default.copyItem(atPath: target, toPath: staged) } catch {
                throw ChildError("output: \(path): \(error.localizedDescription)")
            }
        }
        let descriptor = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw problem }
        close(descriptor)
    }

    package var exists: Bool { FileManager.default.fileExists(atPath: staged) }

    /// Whether what `outcome` left is to be seen: what was refused, or never began, left nothing.
    package func isWorth(_ outcome: JobOutcome) -> Bool {
        if outcome.exitCode == 0 { return true }
        let size = (try? FileManager.default.attributesOfItem(atPath: staged)[.size] as? Int) ?? 0
        return ![65, 69, 77].contains(outcome.exitCode) && size > 0
    }

    /// Puts it in its place at once, on the disk first.
    package func publish() throws {
        try synchronise(staged)
        guard rename(staged, target) == 0 else { throw problem }
        try synchronise(URL(fileURLWithPath: target).deletingLastPathComponent().path)
    }

    private func synchronise(_ name: String) throws {
        let descriptor = open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw problem }
    }

    /// The last call's.
    private var problem: ChildError { ChildError("output: \(path): \(String(cString: strerror(errno)))") }

    package func discard() { try? FileManager.default.removeItem(atPath: staged) }
}
