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
    /// - Returns: what is there already, for `publish`.
    /// - Throws: `ChildError` where there is something that is no file, or nothing can be written.
    package func prepare() throws -> String {
        // Another job's would be taken for its own.
        guard !URL(fileURLWithPath: target).lastPathComponent.hasPrefix(".") else {
            throw ChildError("output: \(path): names that begin with '.' are for outputs on their way")
        }
        try? FileManager.default.removeItem(atPath: staged)
        let found = Self.identity(target)
        if found == "other" { throw ChildError("output: \(path): is no file") }
        if found != "none" {
            do { try FileManager.default.copyItem(atPath: target, toPath: staged) } catch {
                throw ChildError("output: \(path): \(error.localizedDescription)")
            }
            return found
        }
        let descriptor = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw problem }
        close(descriptor)
        return found
    }

    /// Another for other contents: `none`, `other` for what is no file.
    private static func identity(_ path: String) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { return "none" }
        guard status.st_mode & S_IFMT == S_IFREG else { return "other" }
        return "\(status.st_dev) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
    }

    package var exists: Bool { FileManager.default.fileExists(atPath: staged) }

    /// Whether what `outcome` left is to be seen: what was refused, or never began, left nothing.
    package func isWorth(_ outcome: JobOutcome) -> Bool {
        if outcome.exitCode == 0 { return true }
        let size = (try? FileManager.default.attributesOfItem(atPath: staged)[.size] as? Int) ?? 0
        return ![65, 69, 77].contains(outcome.exitCode) && size > 0
    }

    /// Puts it in its place at once, on the disk first.
    ///
    /// - Parameter known: what `prepare` found there.
    /// - Throws: `ChildError`; where somebody else has put something there meanwhile, too.
    package func publish(over known: String?) throws {
        if let known, Self.identity(target) != known {
            throw ChildError("output: \(path): somebody else has written it meanwhile")
        }
        try synchronise(staged)
        guard rename(staged, target) == 0 else { throw problem }
        // It is there; not every file system can be told to write a folder.
        try? synchronise(URL(fileURLWithPath: target).deletingLastPathComponent().path)
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
