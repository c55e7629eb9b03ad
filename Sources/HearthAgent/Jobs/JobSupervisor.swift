import Foundation
import HearthFleet
import Logging
import ServiceLifecycle

/// Starts assigned jobs, carries their logs and outcomes into the spool, ends them on request.
///
/// Every step is remembered before the next is taken, so that after a crash at any point the next agent goes on: a job
/// whose process lives is adopted, one that ended is reported with its result, one that never started is started.
package struct JobSupervisor: Service {
    let store: AgentStore
    let folder: URL
    /// Settings of what this node lets jobs read; nil means the standard file.
    let admission: String?
    /// nil: jobs see what the agent sees.
    let sandbox: Sandbox?
    /// Folders with keys and state, the agent's own and a coordinator's beside it: no job is shown anything of them.
    let kept: [String]
    /// What every job is held to.
    let limits: JobLimits
    let leases = Leases()
    /// Whether an attempt's output may be put in its place.
    let publish: @Sendable (JobAttempt) async throws -> Bool
    /// Told how each job ended.
    let onEnd: @Sendable (JobOutcome) async -> Void
    let logger: Logger

    /// One job at a time: the figures of two would not mean anything.
    static let capacity = 1
    private static let logPieceByteCount = 64 << 10
    private static let graceSeconds = 10.0

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in store.changes() {
                while !Task.isCancelled {
                    do {
                        let jobs = try await store.activeJobs()
                        if jobs.isEmpty { break }
                        for job in jobs { try await attend(to: job) }
                    } catch is CancellationError { return } catch {
                        logger.error("supervising jobs failed; trying again", metadata: ["error": "\(error)"])
                    }
                    try? await Task.sleep(for: .milliseconds(150))
                }
            }
        }
    }

    func child(_ assignment: Assignment) -> ChildProcess {
        ChildProcess(folder: folder.appending(path: "\(assignment.job)-\(assignment.attempt)"))
    }

    /// What a job needs next.
    private func attend(to job: AgentStore.ActiveJob) async throws {
        let child = child(job.assignment)
        if job.state == .starting {
            // What has to stop without a lease does not begin without one.
            if job.assignment.spec.onPartition == .stop, leases.end == nil || leases.isOver { return }
            if !child.wasStarted { try await start(job.assignment, child) }
            return try await store.markRunning(job.assignment)
        }
        let isAlive = child.isAlive
        if job.state == .revoked {
            // As long as it lives, whatever it does not answer to, its device is not free.
            if isAlive { return child.signal(SIGKILL) }
            _ = child.terminationSignal()
            try await store.drop(job.assignment)
            StagedOutput(job.assignment)?.discard()
            child.group?.remove()
            return child.remove()
        }
        var job = job
        while try await carryLog(&job, child, isFinal: !isAlive) {}
        if isAlive { return endOverdue(job, child) }
        guard let outcome = try await settle(job, child) else { return }
        child.group?.remove()
        try await store.finish(job.assignment, outcome)
        logger.info("job ended", metadata: ["job": "\(job.assignment.job)", "exit": "\(outcome.exitCode)"])
        child.remove()
        await onEnd(outcome)
    }

    private func start(_ assignment: Assignment, _ child: ChildProcess) async throws {
        if let path = Self.trespass(assignment.spec, kept) {
            try await store.markRunning(assignment)
            let outcome = JobOutcome(
                exitCode: 77, message: "refused: \(path) is of the agent's or the coordinator's own state",
                actualSeconds: 0)
            return try await store.finish(assignment, outcome)
        }
        logger.info("starting job", metadata: ["job": "\(assignment.job)", "kind": "\(assignment.spec.kind)"])
        do {
            try FileManager.default.createDirectory(at: child.work, withIntermediateDirectories: true)
            let file = child.work.appending(path: "spec.json")
            var spec = limits.holding(assignment.spec)
            if let output = StagedOutput(assignment) {
                try child.remember(target: try output.prepare())
                spec.output = output.staged
            }
            try JSONEncoder().encode(spec).write(to: file, options: .atomic)
            var arguments = ["run", "--result", child.resultFile.path]
            if spec.onPartition == .stop, let end = leases.end {
                try child.lease.write(end: end)
                arguments += ["--lease", child.leaseFile.path]
            }
            arguments += admission.map { ["--admission", $0] } ?? []
            // Other agents on this machine may have jobs of the same name.
            let group = try ControlGroup("\(store.bootID.prefix(8))-\(child.folder.lastPathComponent)", spec)
            try JSONEncoder().encode(group).write(to: child.groupFile, options: .atomic)
            try child.start(arguments + [file.path]) { [spec] command in
                group.enter(try sandbox?.command(command, spec: spec, folder: child.work.path) ?? command)
            }
        } catch {
            // Not startable is an outcome; trying for ever is not.
            StagedOutput(assignment)?.discard()
            child.group?.remove()
            try await store.markRunning(assignment)
            try await store.finish(
                assignment, JobOutcome(exitCode: 69, message: "cannot be started: \(error)", actualSeconds: 0))
        }
    }

    /// A path of `spec` that is in one of `folders`, or has one of them in it.
    package static func trespass(_ spec: JobSpec, _ folders: [String]) -> String? {
        func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path + "/" }
        let kept = folders.map(resolved)
        let named = [spec.model, spec.input, spec.output, spec.apiKeys, spec.tlsCertificate, spec.tlsKey]
        return named.compactMap(\.self).first { path in
            let path = resolved(path)
            return kept.contains { path.hasPrefix($0) || $0.hasPrefix(path) }
        }
    }

    /// Moves one piece of the log into the spool. - Returns: true when there may be more.
    private func carryLog(_ job: inout AgentStore.ActiveJob, _ child: ChildProcess, isFinal: Bool) async throws -> Bool
    {
        guard let handle = try? FileHandle(forReadingFrom: child.logFile) else { return false }
        defer { try? handle.close() }
        try handle.seek(toOffset: UInt64(job.fileOffset))
        guard var bytes = try handle.read(upToCount: Self.logPieceByteCount), !bytes.isEmpty else { return false }
        // A character that is still being written waits for its end.
        if !isFinal || bytes.count == Self.logPieceByteCount { bytes.removeLast(Self.unfinishedCount(bytes)) }
        if bytes.isEmpty { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        try await store.appendLog(job, text: text, fileByteCount: bytes.count)
        job.fileOffset += bytes.count
        job.logOffset += text.utf8.count
        return true
    }

    /// Bytes at the end that begin a UTF-8 character which is not complete.
    static func unfinishedCount(_ bytes: Data) -> Int {
        for (back, byte) in bytes.suffix(3).reversed().enumerated() where byte & 0xc0 != 0x80 {
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back + 1 ? back + 1 : 0
        }
        return 0
    }

    /// `hearth run` ends itself at its timeout; one that does not is ended here.
    private func endOverdue(_ job: AgentStore.ActiveJob, _ child: ChildProcess) {
        let age = MonotonicClock.seconds - job.takenOnAt
        let timeout = limits.holding(job.assignment.spec).timeoutSeconds
        if job.assignment.spec.onPartition == .stop, leases.isOver { child.fence() }
        if age > timeout + Self.graceSeconds { child.signal(SIGTERM) }
        if age > timeout + 2 * Self.graceSeconds { child.signal(SIGKILL) }
    }

    func outcome(of job: AgentStore.ActiveJob, _ child: ChildProcess) -> JobOutcome {
        let signal = child.terminationSignal()
        if let data = try? Data(contentsOf: child.resultFile),
            let outcome = try? JSONDecoder().decode(JobOutcome.self, from: data)
        {
            return outcome
        }
        let how =
            child.group?.ranOutOfMemory == true
            ? "needed more memory than its \(limits.holding(job.assignment.spec).memoryGibibytes ?? 0) GiB"
            : signal.map { "was ended by signal \($0)" } ?? "ended without a result"
        var ended = JobOutcome(
            exitCode: signal.map { 128 + $0 } ?? 70, message: "the job's process \(how)",
            actualSeconds: max(0, MonotonicClock.seconds - job.takenOnAt))
        if child.wasFenced { ended.lostLease = true }
        return ended
    }

    /// The coordinator answered: `jobs` go on.
    func renewLeases(of jobs: [AgentStore.ActiveJob], asked: Double, seconds: Double) {
        leases.renew(asked: asked, seconds: seconds)
        guard let end = leases.end else { return }
        for job in jobs where job.assignment.spec.onPartition == .stop && job.state == .running {
            do { try child(job.assignment).lease.write(end: end) } catch {
                logger.error(
                    "a lease cannot be written; the job will end itself",
                    metadata: ["job": "\(job.assignment.job)", "because": "\(error)"])
            }
        }
    }

    /// Ends what another attempt has taken the place of. Nothing is said of it: nobody asks any more.
    func revoke(_ attempt: JobAttempt) async throws {
        logger.warning("ended: given to another node", metadata: ["job": "\(attempt.job)"])
        try await store.revoke(attempt)
    }

    /// Asks a job to end; the next rounds report how it did.
    func cancel(_ id: String) async throws {
        for job in try await store.activeJobs() where job.assignment.job == id { child(job.assignment).signal(SIGTERM) }
    }
}
